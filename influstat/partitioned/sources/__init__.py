"""Where rows come from, a partition at a time: one file a kind."""
