"""Faults that a person or a test sets on purpose.

`general` strikes the whole cloud by chance. `kinds` is the table of the faults that can be aimed at calls
and users; `aimed` holds those in force, `lies` and `events` carry out those that change what is reported and
what happens (`api.answers` carries out the rest). This package imports the world and the rooms below it.
"""
