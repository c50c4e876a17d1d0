"""Long runs: a thousand failovers in a row, and a sink slower than its source. Nothing may be lost, nothing may grow."""
