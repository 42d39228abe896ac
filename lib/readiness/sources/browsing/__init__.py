"""Loading pages in a real browser, in a process of its own."""
