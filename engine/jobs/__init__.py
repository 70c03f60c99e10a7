"""Work in the background: one queue of tasks, what each kind does, and the scheduler."""
