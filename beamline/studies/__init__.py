"""Studies of the software itself: demonstration, Monte Carlo studies, numbers of the paper, benchmarks."""
