"""The actions: what each does and answers, and the cars and accounts that a call means."""
