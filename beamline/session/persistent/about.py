"""Proposal, sample and users: prompted for once, stored, and recorded in every start document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from beamline.config.models import Configuration
from beamline.formatting import printable
from beamline.session.persistent.state import AboutEntries, State, StateFile

LONGEST = 200
"""Most characters of one text."""
QUESTIONS = {"proposal": "Proposal", "sample": "Sample", "users": "Users, with commas between them"}


class NotAllowedError(ValueError):
    """A text is not allowed in start documents; the message has the reason."""


def configured(config: Configuration) -> AboutEntries:
    """The entries of the configuration."""
    return AboutEntries(proposal=config.proposal, sample=config.sample, users=config.users)


def present(config: Configuration, state: State | None) -> AboutEntries:
    """The entries of the user, overridden by entries of the configuration that have changed since."""
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
        Metadata of the RunEngine, which go into each start document.
    """

    def __init__(self, config: Configuration, state_file: StateFile, metadata: MutableMapping[str, Any]) -> None:
        self._config, self._state_file, self._metadata = config, state_file, metadata
        self._fill(present(config, state_file.state))

    def __call__(
        self, *, proposal: str | None = None, sample: str | None = None, users: str | Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Change the given entries, from the next run on and for later sessions; returns all entries.

        Raises
        ------
        NotAllowedError
            If a text is too long, or the data root belongs to another proposal.

        Examples
        --------
        >>> session.about(sample="CsPbBr3 in toluene", users="A. Curie, B. Auger")
        """
        given = {"proposal": proposal, "sample": sample, "users": users}
        entered = present(self._config, self._state_file.state)
        entered = entered.model_copy(
            update={key: checked_text(key, text) for key, text in given.items() if text is not None}
        )
        if self._config.root_follows_proposal and entered.proposal != self._config.proposal:
            raise NotAllowedError(
                f"the data root belongs to proposal {self._config.proposal}; for {entered.proposal} change `proposal`"
                " in the configuration and start again"
            )
        self._state_file.update(entered=entered, configured=configured(self._config))
        return self._fill(entered)

    def _fill(self, entered: AboutEntries) -> dict[str, Any]:
        entries = {"proposal": entered.proposal, "sample": entered.sample, "users": list(entered.users)}
        self._metadata.update(entries)
        return entries


def checked_text(key: str, given: Any) -> Any:
    """Strip a text of control characters and surrounding blanks; users become a tuple of texts."""
    if key == "users":
        names = given.split(",") if isinstance(given, str) else list(given)
        return tuple(name for each in names if (name := checked_text("user", each)))
    text = printable(given).strip()
    if len(text) > LONGEST:
        raise NotAllowedError(f"{key} may have {LONGEST} characters, not {len(text)}")
    return text


def ask_about(config: Configuration, state: State | None, ask: Callable[[str], str]) -> dict[str, str]:
    """Prompt for missing entries; returns arguments of `About`.

    Prompts once: if an entry is empty and there was no prompt for this data root since the configuration changed. An
    empty reply keeps the present entry.

    Parameters
    ----------
    config : Configuration
    state : State or None
        The stored state.
    ask : callable
        Shows a prompt, returns the reply.
    """
    entered = present(config, state)
    already_prompted = state is not None and state.entered is not None and state.configured == configured(config)
    if already_prompted or all(getattr(entered, key) for key in QUESTIONS):
        return {}
    answers = {}
    for key, question in QUESTIONS.items():
        known = getattr(entered, key)
        known = ", ".join(known) if key == "users" else known
        wanted = f"{question} [{known or 'none'}], Enter keeps it: "
        answer = ask(wanted).strip()
        while _for_the_prompt(answer):
            answer = ask(f"That looks like a command; the command prompt follows later. {wanted}").strip()
        answers[key] = answer or known
    return answers


def _for_the_prompt(answer: str) -> bool:
    """Whether the reply is a command, typed by a user who did not expect a prompt."""
    return answer.startswith(("%", "RE(")) or answer.endswith("?")
