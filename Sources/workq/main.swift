// Without "@main", whose entry point asks for the main actor: the concurrency runtime stays out of the program.
Workq.main()
