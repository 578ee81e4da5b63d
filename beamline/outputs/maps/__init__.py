"""Maps of transients over energy and delay: what results give, as sentences, files and figures."""
