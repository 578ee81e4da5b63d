"""Who measures what: proposal, sample and users, asked once, kept, and in every start document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from beamline.config.models import Configuration
from beamline.formatting import printable
from beamline.session.persistent.state import AboutEntries, State, StateFile

LONGEST = 200
"""Characters of one text."""
QUESTIONS = {"proposal": "Proposal", "sample": "Sample", "users": "Users, with commas between them"}


class NotAllowedError(ValueError):
    """A text that start documents cannot have; the message says which and why."""


def configured(config: Configuration) -> AboutEntries:
    """What the configuration says."""
    return AboutEntries(proposal=config.proposal, sample=config.sample, users=config.users)


def present(config: Configuration, state: State | None) -> AboutEntries:
    """What was said last; or what the configuration says, where that has changed since."""
    now = configured(config)
    if state is None or state.entered is None:
        return now
    before = state.configured or AboutEntries()
    changed = {key for key in AboutEntries.model_fields if getattr(now, key) != getattr(before, key)}
    return state.entered.model_copy(update={key: getattr(now, key) for key in changed})


class About:
    """Proposal, sample and users of a session: call it to see them, or with new ones to change them.

    Parameters
    ----------
    config : Configuration
    state_file : StateFile
    metadata : mutable mapping
        Of the RunEngine: what goes into each start document.
    """

    def __init__(self, config: Configuration, state_file: StateFile, metadata: MutableMapping[str, Any]) -> None:
        self._config, self._state_file, self._metadata = config, state_file, metadata
        self._fill(present(config, state_file.state))

    def __call__(
        self, *, proposal: str | None = None, sample: str | None = None, users: str | Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Change what is given, from the next run on and for later sessions; returns what holds now.

        Raises
        ------
        NotAllowedError
            If a text is too long, or the data root is that of another proposal.

        Examples
        --------
        >>> session.about(sample="CsPbBr3 in toluene", users="A. Curie, B. Auger")
        """
        given = {"proposal": proposal, "sample": sample, "users": users}
        entered = present(self._config, self._state_file.state)
        entered = entered.model_copy(
            update={key: _checked(key, text) for key, text in given.items() if text is not None}
        )
        if self._config.root_follows_proposal and entered.proposal != self._config.proposal:
            raise NotAllowedError(
                f"the data root is that of proposal {self._config.proposal}; for {entered.proposal} change `proposal`"
                " in the configuration and start again"
            )
        self._state_file.update(entered=entered, configured=configured(self._config))
        return self._fill(entered)

    def _fill(self, entered: AboutEntries) -> dict[str, Any]:
        entries = {"proposal": entered.proposal, "sample": entered.sample, "users": list(entered.users)}
        self._metadata.update(entries)
        return entries


def _checked(key: str, given: Any) -> Any:
    """A text without control characters or surrounding blanks; users as a tuple of such."""
    if key == "users":
        names = given.split(",") if isinstance(given, str) else list(given)
        return tuple(name for each in names if (name := _checked("user", each)))
    text = printable(given).strip()
    if len(text) > LONGEST:
        raise NotAllowedError(f"{key} may have {LONGEST} characters, not {len(text)}")
    return text


def ask_about(config: Configuration, state: State | None, ask: Callable[[str], str]) -> dict[str, str]:
    """Ask for what nobody has said yet; what comes back is for `About`.

    Asked once: when something is empty and nobody has been asked at this data root since the configuration changed.
    An empty answer keeps what there is.

    Parameters
    ----------
    config : Configuration
    state : State or None
        What is kept.
    ask : callable
        Takes a question, returns the answer.
    """
    entered = present(config, state)
    already_asked = state is not None and state.entered is not None and state.configured == configured(config)
    if already_asked or all(getattr(entered, key) for key in QUESTIONS):
        return {}
    answers = {}
    for key, question in QUESTIONS.items():
        known = getattr(entered, key)
        known = ", ".join(known) if key == "users" else known
        wanted = f"{question} [{known or 'none'}], Enter keeps it: "
        answer = ask(wanted).strip()
        while _for_the_prompt(answer):
            answer = ask(f"That looks like a line for the prompt, which comes after this. {wanted}").strip()
        answers[key] = answer or known
    return answers


def _for_the_prompt(answer: str) -> bool:
    """Whether somebody who did not expect a question has typed a command."""
    return answer.startswith(("%", "RE(")) or answer.endswith("?")
