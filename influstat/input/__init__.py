"""What comes in and goes out: tables, designs, checked arguments, printing and progress."""
