"""Table of histories: all kinds of answers that a cloud may give about the sessions of a car."""

from typing import Final

from tests.histories import History, a, s

_NIGHT: Final = s("a", 0.5, 3.2, 8.0, 2.0, 1.0)

# Hours before the installation at which sessions began.
_BEFORE: Final = {"x": -480, "y": -360, "z": -120}

HISTORIES: Final = (
    History(
        name="one session with figures all along",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, None, 5.0, 1.2, 0.6)),
            a(_NIGHT),
        ],
        truth=(8.0, 2.0, 1.0),
        ends=1,
    ),
    History(
        name="energy at the end only",
        answers=[a(s("a", 0.5)), a(s("a", 0.5)), a(_NIGHT)],
        truth=(8.0, 2.0, 1.0),
        ends=1,
    ),
    History(
        name="energy two refreshes after the end",
        answers=[
            a(s("a", 0.5)),
            a(s("a", 0.5, 1.2)),
            a(s("a", 0.5, 1.2)),
            a(s("a", 0.5, 1.2, 8.0, 2.0, 1.0)),
        ],
        truth=(8.0, 2.0, 1.0),
        ends=1,
    ),
    History(
        name="a hand-over in one refresh",
        answers=[
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, 1.7, 5.0, 1.0, 0.5), s("b", 1.7, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, 1.7, 5.0, 1.0, 0.5), s("b", 1.7, 2.9, 4.0, 0.8, 0.4)),
        ],
        truth=(9.0, 1.8, 0.9),
        ends=2,
    ),
    History(
        name="two whole sessions in one refresh",
        answers=[
            a(),
            a(),
            a(s("a", 0.5, 1.0, 2.0, 0.5, 0.2), s("b", 1.1, 1.9, 3.0, 0.7, 0.3)),
            a(
                s("a", 0.5, 1.0, 2.0, 0.5, 0.2),
                s("b", 1.1, 1.9, 3.0, 0.7, 0.3),
                s("c", 2.1, 2.9, 4.0, 0.9, 0.4),
            ),
        ],
        truth=(9.0, 2.1, 0.9),
        ends=3,
        counts_by_session=False,  # the sensor begins with the second session
    ),
    History(
        name="three sessions in one refresh after a running one",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.1, 0.1)),
            a(
                s("a", 0.5, 0.9, 2.0, 0.2, 0.2),
                s("b", 1.0, 1.2, 3.0, 0.3, 0.3),
                s("c", 1.3, 1.5, 4.0, 0.4, 0.4),
                s("d", 1.6, None, 0.5, 0.1, 0.1),
            ),
        ],
        truth=(9.5, 1.0, 1.0),
        ends=3,
    ),
    History(
        name="a correction upwards",
        answers=[
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, 1.2, 5.0, 1.0, 0.5)),
            a(s("a", 0.5, 1.2, 5.6, 1.1, 0.6)),
        ],
        truth=(5.6, 1.1, 0.6),
        ends=1,
    ),
    History(
        name="a correction downwards",
        answers=[
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, 1.2, 5.0, 1.0, 0.5)),
            a(s("a", 0.5, 1.2, 4.4, 0.9, 0.4)),
        ],
        truth=(4.4, 0.9, 0.4),
        ends=1,
        only_grows=False,
    ),
    History(
        name="a correction down and up again",
        answers=[
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
            a(s("a", 0.5, 0.9, 0.0, 0.0, 0.0)),
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
        ],
        truth=(5.0, 1.0, 0.5),
        ends=1,
        only_grows=False,
    ),
    History(
        name="the old session is corrected after the new one began",
        answers=[
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, 1.2, 5.0, 1.0, 0.5), s("b", 1.2, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, 1.2, 6.0, 1.2, 0.6), s("b", 1.2, None, 2.0, 0.4, 0.2)),
        ],
        truth=(8.0, 1.6, 0.8),
        ends=1,
        counts_by_session=False,
    ),
    History(
        name="partial answers in between",
        answers=[
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, None)),
            a(s("a", 0.5, 2.2, None, 1.0)),
            a(s("a", 0.5, 2.2, 5.0)),
            a(s("a", 0.5, 2.2)),
        ],
        truth=(5.0, 1.0, 0.3),
        ends=1,
    ),
    History(
        name="no cost and no savings",
        answers=[a(s("a", 0.5, None, 3.0)), a(s("a", 0.5, 1.2, 5.0))],
        truth=(5.0, None, None),
        ends=1,
    ),
    History(
        name="financials only",
        answers=[
            a(s("a", 0.5)),
            a(s("a", 0.5, 1.2)),
            a(s("a", 0.5, 1.2), financials=[_NIGHT]),
            a(s("a", 0.5, 1.2), financials=[_NIGHT]),
            a(s("a", 0.5, 1.2), financials=[_NIGHT]),
        ],
        truth=(8.0, 2.0, 1.0),
        ends=1,
    ),
    History(
        name="energy in the list, money in the financials",
        answers=[
            a(s("a", 0.5, None, 2.0)),
            a(s("a", 0.5, 1.2, 5.0), financials=[s("a", 0.5, 1.2, 5.1, 1.0, 0.5)]),
            a(s("a", 0.5, 1.2, 5.0), financials=[s("a", 0.5, 1.2, 5.1, 1.0, 0.5)]),
        ],
        truth=(5.0, 1.0, 0.5),
        ends=1,
    ),
    History(
        name="financials late, for one of two sessions",
        answers=[
            a(s("a", 0.5, 0.9)),
            a(s("a", 0.5, 0.9), s("b", 1.1, 1.9, 2.0, 0.5, 0.1)),
            a(s("a", 0.5, 0.9), s("b", 1.1, 1.9, 2.0, 0.5, 0.1)),
            a(s("a", 0.5, 0.9), s("b", 1.1, 1.9, 2.0, 0.5, 0.1)),
            *[
                a(
                    s("a", 0.5, 0.9),
                    s("b", 1.1, 1.9, 2.0, 0.5, 0.1),
                    financials=[s("a", 0.5, 0.9, 3.0, 0.6, 0.2)],
                )
            ]
            * 3,
        ],
        truth=(5.0, 1.1, 0.3),
        ends=2,
        counts_by_session=False,
    ),
    *(
        History(
            name=f"currency {' and '.join(map(repr, spellings))}",
            answers=[
                a(s("a", 0.5, None, 3.0, 0.6, 0.3, currency=spellings[0])),
                a(s("a", 0.5, 1.2, 5.0, 1.0, 0.5, currency=spellings[-1])),
                a(
                    s("a", 0.5, 1.2, 5.0, 1.0, 0.5, currency=spellings[len(spellings) // 2]),
                    s("b", 1.5, 1.9, 5.0, 1.0, 0.5, currency=spellings[0]),
                ),
            ],
            truth=(10.0, 2.0, 1.0),
            ends=2,
        )
        for spellings in (
            ["eur"],
            [" EUR "],
            ["EUR", "eur"],
            ["eur", " Eur "],
            [None],
            ["EUR", None],
            [None, "EUR"],
            ["EUR", "eur", " Eur "],
        )
    ),
    History(
        name="a deleted session",
        answers=[
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5), s("b", 0.92, 0.98, 1.0, 0.2, 0.1)),
            *[a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5))] * 4,
        ],
        truth=(5.0, 1.0, 0.5),
        ends=2,
        counts_by_session=False,
        only_grows=False,
    ),
    History(
        name="a session that one answer leaves out",
        answers=[
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
            a(),
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
        ],
        truth=(5.0, 1.0, 0.5),
        ends=1,
    ),
    History(
        name="an end that is taken back, and comes again later",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, 1.1, 2.0, 0.4, 0.2)),
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, 3.5, 4.0, 0.8, 0.4)),
        ],
        truth=(4.0, 0.8, 0.4),
        ends=1,
    ),
    History(
        name="a session that never ends",
        answers=[a(s("a", 0.5, None, float(hour), 0.1, 0.1)) for hour in range(1, 6)],
        truth=(5.0, 0.1, 0.1),
        ends=0,
    ),
    History(
        name="a stale answer between two newer ones",
        answers=[
            a(s("a", 0.5, None, 4.0, 0.8, 0.4)),
            a(s("a", 0.5, None, 2.0, 0.4, 0.2)),
            a(s("a", 0.5, 2.5, 6.0, 1.2, 0.6)),
        ],
        truth=(6.0, 1.2, 0.6),
        ends=1,
        only_grows=False,
    ),
    History(
        name="sessions of before the set-up",
        answers=[
            a(s("old", -30, -20, 7.0, 1.4, 0.7)),
            a(s("old", -30, -20, 7.0, 1.4, 0.7), s("a", 0.5, 1.5, 5.0, 1.0, 0.5)),
        ],
        truth=(12.0, 2.4, 1.2),
        ends=1,
    ),
    History(
        name="a session of before the set-up is corrected",
        answers=[
            a(s("old", -30, -20, 7.0, 1.4, 0.7)),
            a(s("old", -30, -20, 7.5, 1.5, 0.8)),
        ],
        truth=(7.5, 1.5, 0.8),
        ends=0,
    ),
    History(
        name="a session of 20 days that ends",
        answers=[
            a(s("a", -480, None, 90.0, 18.0, 9.0)),
            a(s("a", -480, None, 95.0, 19.0, 9.5)),
            a(s("a", -480, 1.5, 100.0, 20.0, 10.0)),
        ],
        truth=(100.0, 20.0, 10.0),
        ends=1,
    ),
    History(
        name="savings below zero",
        answers=[a(s("a", 0.5, None, 1.0, 0.2, -0.1)), a(s("a", 0.5, 1.5, 5.0, 1.0, -0.4))],
        truth=(5.0, 1.0, -0.4),
        ends=1,
        only_grows=False,
    ),
    History(
        name="a session without any energy",
        answers=[a(s("a", 0.5, None, 0.0, 0.0, 0.0)), a(s("a", 0.5, 1.5, 0.0, 0.0, 0.0))],
        truth=(0.0, 0.0, 0.0),
        ends=1,
    ),
    History(
        name="energy known while the next session runs",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.1, 0.1)),
            a(s("a", 0.5, 1.5, 2.0, 0.2, 0.2), s("b", 1.6)),
            a(s("a", 0.5, 1.5, 2.0, 0.2, 0.2), s("b", 1.6)),
            a(s("a", 0.5, 1.5, 2.0, 0.2, 0.2), s("b", 1.6, 3.1, 3.0, 0.3, 0.3)),
        ],
        truth=(5.0, 0.5, 0.5),
        ends=2,
    ),
    History(
        name="a zero-length session between two others",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.1, 0.1)),
            a(
                s("a", 0.5, 1.5, 2.0, 0.2, 0.2),
                s("b", 1.5, 1.5, 0.0, 0.0, 0.0),
                s("c", 1.5, None, 0.5, 0.1, 0.1),
            ),
            a(
                s("a", 0.5, 1.5, 2.0, 0.2, 0.2),
                s("b", 1.5, 1.5, 0.0, 0.0, 0.0),
                s("c", 1.5, 2.5, 4.0, 0.4, 0.4),
            ),
        ],
        truth=(6.0, 0.6, 0.6),
        ends=3,
    ),
    History(
        name="two sessions that begin at one moment",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.1, 0.1)),
            a(s("b", 0.5, None, 0.5, 0.1, 0.1), s("a", 0.5, 1.5, 2.0, 0.2, 0.2)),
            a(s("b", 0.5, 2.5, 4.0, 0.4, 0.4), s("a", 0.5, 1.5, 2.0, 0.2, 0.2)),
        ],
        truth=(6.0, 0.6, 0.6),
        ends=2,
        counts_by_session=False,  # in statistics a new session has another start
    ),
    # -- the car, its user ---------------------------------------------------------------------------------
    History(
        name="a car that is gone, and comes back",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
            *[a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5), has_car=False)] * 4,
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5), s("b", 5.5, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5), s("b", 5.5, 6.5, 3.0, 0.6, 0.3)),
        ],
        truth=(8.0, 1.6, 0.8),
        ends=2,
    ),
    History(
        name="a car that is gone with its sessions, and comes back without the old one",
        answers=[
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
            *[a(has_car=False)] * 4,
            a(s("b", 5.5, None, 1.0, 0.2, 0.1)),
            a(s("b", 5.5, 6.5, 3.0, 0.6, 0.3)),
        ],
        truth=(3.0, 0.6, 0.3),
        ends=2,
        only_grows=False,  # Jedlix has deleted the old session
        counts_by_session=False,
    ),
    *(
        History(
            name=f"a car that two users have, {place}",
            answers=[
                a(s("a", 0.5, None, 1.0, 0.2, 0.1)),
                a(s("a", 0.5, 1.5, 5.0, 1.0, 0.5)),
            ],
            truth=(5.0, 1.0, 0.5),
            ends=1,
            car="shared-car",
        )
        for place in ("here", "there")
    ),
    History(
        name="sessions that do not name their car",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.2, 0.1, has_vehicle=False)),
            a(
                s("a", 0.5, 1.5, 5.0, 1.0, 0.5, has_vehicle=False),
                s("b", 1.5, None, 1.0, 0.1, 0.1, has_vehicle=False),
            ),
            a(
                s("a", 0.5, 1.5, 5.0, 1.0, 0.5, has_vehicle=False),
                s("b", 1.5, 2.5, 2.0, 0.2, 0.1, has_vehicle=False),
            ),
        ],
        truth=(7.0, 1.2, 0.6),
        ends=2,
    ),
    # -- times that are odd --------------------------------------------------------------------------------
    History(
        name="an end in the future, and the real one earlier",
        answers=[
            a(s("a", 0.5, 40.0, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, 40.0, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, 2.5, 5.0, 1.0, 0.5)),
        ],
        truth=(5.0, 1.0, 0.5),
        ends=1,
    ),
    History(
        name="a session without any length that has energy",
        answers=[a(), a(s("a", 0.7, 0.7, 2.0, 0.4, 0.2)), a(s("a", 0.7, 0.7, 2.0, 0.4, 0.2))],
        truth=(2.0, 0.4, 0.2),
        ends=1,
    ),
    History(
        name="a start that is corrected",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.2, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.8, 2.5, 5.0, 1.0, 0.5)),
        ],
        truth=(5.0, 1.0, 0.5),
        ends=1,
    ),
    History(
        name="an end that is corrected, to earlier and to later",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, 0.95, 5.0, 1.0, 0.5)),
            a(s("a", 0.5, 0.6, 5.0, 1.0, 0.5)),
            a(s("a", 0.5, 2.6, 5.0, 1.0, 0.5)),
        ],
        truth=(5.0, 1.0, 0.5),
        ends=1,
    ),
    History(
        name="a session of fifteen days ago",
        answers=[
            a(s("old", -365, -360, 7.0, 1.4, 0.7), s("a", 0.5, None, 1.0, 0.2, 0.1)),
            a(s("old", -365, -360, 7.0, 1.4, 0.7), s("a", 0.5, 1.5, 5.0, 1.0, 0.5)),
        ],
        truth=(12.0, 2.4, 1.2),
        ends=1,
        counts_by_session=False,  # the sensor begins with the later session
    ),
    # -- figures that are odd ------------------------------------------------------------------------------
    History(
        name="energy that is first left out, then zero, then known",
        answers=[
            a(s("a", 0.5)),
            a(s("a", 0.5, None, 0.0, 0.0, 0.0)),
            a(s("a", 0.5, 2.5, 0.0, 0.0, 0.0)),
            a(s("a", 0.5, 2.5, 6.0, 1.2, 0.6)),
        ],
        truth=(6.0, 1.2, 0.6),
        ends=1,
    ),
    History(
        name="energy that falls while the session runs",
        answers=[
            a(s("a", 0.5, None, 4.0, 0.8, 0.4)),
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, 2.5, 3.5, 0.7, 0.35)),
        ],
        truth=(3.5, 0.7, 0.35),
        ends=1,
        only_grows=False,
    ),
    History(
        name="a cost below zero, as at negative prices",
        answers=[
            a(s("a", 0.5, None, 2.0, -0.1, 0.4)),
            a(s("a", 0.5, 1.5, 5.0, -0.6, 1.1)),
        ],
        truth=(5.0, -0.6, 1.1),
        ends=1,
    ),
    History(
        name="a session that one answer lists twice",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.2, 0.1), s("a", 0.5, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, 1.5, 5.0, 1.0, 0.5), s("a", 0.5, 1.5, 5.0, 1.0, 0.5)),
        ],
        truth=(5.0, 1.0, 0.5),
        ends=1,
    ),
    History(
        name="another currency in the middle of a month",
        answers=[
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5), s("b", 1.1, 1.5, 2.0, 0.4, 0.2)),
            a(
                s("a", 0.5, 0.9, 5.0, 1.0, 0.5),
                s("b", 1.1, 1.5, 2.0, 0.4, 0.2),
                s("c", 2.1, 2.9, 3.0, 6.0, 3.0, currency="SEK"),
            ),
        ],
        truth=(10.0, 1.4, 0.7),
        elsewhere={"SEK": (6.0, 3.0)},
        ends=3,
    ),
    History(
        name="financials only, also of weeks and days before the installation",
        answers=[
            a(
                *(s(name, start, start + 2, 5.0) for name, start in _BEFORE.items()),
                s("a", 0.5, 0.9, 1.0, 0.2, 0.1),
                financials=[
                    s(name, start, start + 2, None, 1.0, 0.5) for name, start in _BEFORE.items()
                ],
            ),
        ],
        truth=(16.0, 3.2, 1.6),
        ends=1,
        counts_by_session=False,
    ),
    # -- what is taken back --------------------------------------------------------------------------------
    History(
        name="a session that is settled, corrected, then deleted",
        answers=[
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5), s("b", 1.1, 1.5, 2.0, 0.4, 0.2)),
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5), s("b", 1.1, 1.5, 2.5, 0.5, 0.3)),
            *[a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5))] * 4,
        ],
        truth=(5.0, 1.0, 0.5),
        ends=2,
        counts_by_session=False,
        only_grows=False,
    ),
    History(
        name="a session that is deleted, and listed again",
        answers=[
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
            *[a()] * 4,
            a(s("a", 0.5, 0.9, 5.5, 1.1, 0.6)),
        ],
        truth=(5.5, 1.1, 0.6),
        ends=1,
        counts_by_session=False,
        only_grows=False,
    ),
    History(
        name="financials that are corrected",
        answers=[
            a(s("a", 0.5, 0.9, 5.0), financials=[s("a", 0.5, 0.9, None, 1.0)]),
            a(s("a", 0.5, 0.9, 5.0), financials=[s("a", 0.5, 0.9, None, 1.0)]),
            *[a(s("a", 0.5, 0.9, 5.0), financials=[s("a", 0.5, 0.9, None, 1.2, 0.4)])] * 5,
        ],
        truth=(5.0, 1.2, 0.4),
        ends=1,
    ),
)
ROUNDS: Final = max(len(history.answers) for history in HISTORIES) + 1
