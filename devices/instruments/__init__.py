"""The instruments of the experiment, an ophyd class each."""
