"""caproto soft IOCs and the forward model behind them."""
