"""Parts of the page as plain values, each from what a reader of the journal has."""
