"""Programs that measure the program: demonstration, Monte-Carlo studies, the paper's numbers, benchmarks."""
