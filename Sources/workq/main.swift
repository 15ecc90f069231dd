// Without "@main", whose entry point needs the main actor: this keeps the concurrency runtime out of the program.
Workq.main()
