"""The page that says what the network is and how well it does."""
