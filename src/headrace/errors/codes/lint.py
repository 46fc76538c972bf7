"""Codes of `headrace check`: LINT01xx. What is found runs; it may not do what was meant."""

from __future__ import annotations

from headrace.errors.codes.code import Code

USELESS_SILENCE = Code(
    "LINT0100",
    "comment silences nothing",
    "A comment `headrace: ignore=` names a code that is not found where the comment stands, or that there is not. What it was "
    "written for may have been mended, or moved: remove it, or put it where the finding is.",
)

UNUSED_WITH = Code(
    "LINT0101",
    "named query is not read",
    "`WITH name AS (…)` defines a query that no other reads. It does nothing when the program runs; most often the query that should "
    "read it names something else. Read it, or remove it.",
)

LOST_KEY = Code(
    "LINT0102",
    "key is lost",
    "The key of what a join gives is what it joins by. Where a stream is joined by another column than its key, and its key is not "
    "among the columns, then whoever reads the result by key sees one record for each partner, and not for each record of the "
    "stream. Keep the key as a column (`o._key AS order_id`), and write `AS _key` where the result shall have it.",
)

IMPLICIT_REPARTITION = Code(
    "LINT0103",
    "records are put into another order by a topic of their own",
    "Rows are grouped or joined by something else than the key of their topic, so that each is written to an internal topic by its "
    "new key and read again. That costs about as much as the processing itself, and the order between partitions is lost. If the "
    "producer can write the key, or another program has the topic in that order already, read that; else silence this.",
)

UNBOUNDED_STATE = Code(
    "LINT0104",
    "state grows without a bound",
    "A stream is grouped, or made distinct, without a window: each key that ever came is kept for ever. That is right where the keys are "
    "few and known (countries, machines) and fills the disk where they are not (orders, sessions). Add `WINDOW BY`, or silence this "
    "beside the words that say how many keys there are.",
)

MISSING_GRACE = Code(
    "LINT0105",
    "grace is not said",
    "How long late rows are waited for decides when final results come, and which rows a join leaves out. `EMIT FINAL` without "
    "`GRACE BY` gives the result of a window a day after its beginning; `WITHIN` without `GRACE BY` leaves out whatever is later than "
    "the time of `WITHIN`. Say it: `GRACE BY 10s`, also where it is `0s`.",
)

CROSS_JOIN = Code(
    "LINT0106",
    "each row is joined with every other",
    "Two sources without a condition between them give the product of their rows. In a program that is refused; in a query it is seldom "
    "meant, and its size is. Give the condition: `JOIN b ON a.x = b.y`.",
)

COMPARED_WITH_NULL = Code(
    "LINT0107",
    "comparison with NULL",
    "A comparison with NULL is never true, not even `NULL = NULL`, so that the condition keeps no row. Write `IS NULL`, `IS NOT NULL`, or "
    "`IS DISTINCT FROM` to compare two values of which one may be missing.",
)

NOT_IN_NULL = Code(
    "LINT0108",
    "NOT IN a list that may hold NULL",
    "`x NOT IN (1, NULL)` is never true: whether `x` differs from a value that is not known is not known either. One null in a list or a "
    "sub-query makes the condition keep nothing. Leave nulls out (`WHERE y IS NOT NULL` in the sub-query), or use `NOT EXISTS`.",
)

INTEGER_DIVISION = Code(
    "LINT0109",
    "division of whole numbers",
    "`/` between two whole numbers gives a whole number: `7 / 2` is 3. If the fraction is wanted, make one of them a number with a "
    "fraction: `CAST(a AS DOUBLE) / b`. If it is not, `DIVIDE(a, b)` says so, and silences this.",
)

FLOAT_EQUALITY = Code(
    "LINT0110",
    "equality of floating-point numbers",
    "`0.1 + 0.2 = 0.3` is false: floating-point numbers that were computed differ in their last digits. Compare with a distance "
    "(`ABS(a - b) < 0.001`), round both, or use DECIMAL.",
)

STAR_INTO_DECLARED = Code(
    "LINT0111",
    "SELECT * into a declared target",
    "The target has columns of its own, and the source may get others: a field that is added at the source is then missing at the target, "
    "or stops the program when it is planned again. Name the columns that the target shall have.",
)

DUPLICATE_INSERT = Code(
    "LINT0112",
    "same query into the same target twice",
    "Two statements write the same rows to the same topic, so that each comes twice. Remove one, or change what was to be different.",
)

NULL_LEFT_OUT = Code(
    "LINT0113",
    "rows with null are left out",
    "`a <> 'x'` and `a NOT IN ('x', 'y')` over a column that may be null are not true where it is, so that WHERE leaves such rows out, which seldom is "
    "meant by “all but x”. Write `a IS DISTINCT FROM 'x'` or `OR a IS NULL`, or say `AND a IS NOT NULL` if it is.",
)

NULL_OPERAND = Code(
    "LINT0114",
    "one null makes the whole result null",
    "`||` and arithmetic give null where one operand is null: `'Dear ' || name` is no greeting without a name, but null, and so is a price "
    "less a discount that a row, or its partner of an outer join, does not have. Found where another operand is never null. Say what "
    "stands for it, `COALESCE(discount, 0)`; `CONCAT` takes null for an empty text.",
)

NULL_NOT_COUNTED = Code(
    "LINT0115",
    "COUNT of a column leaves nulls out",
    "`COUNT(a)` counts the rows in which `a` is not null; how many rows there are says `COUNT(*)`. Where `a` may be null the two differ. "
    "Write `COUNT(*)`, or say `WHERE a IS NOT NULL` if the rows with a value are meant; beside a `COUNT(*)`, and behind an outer join, "
    "nothing is said.",
)

BY_THE_CLOCK = Code(
    "LINT0116",
    "results by the machine's clock change with each replay",
    "`EVENTTIME BY PROCTIME()` gives records the time at which they happen to be read. Read again, after a crash or from the beginning, they fall into "
    "other windows and meet other partners, and a program that was away for an hour takes an hour of records for those of a moment. Where that matters "
    "take the time of the records, which is what stands there without the clause, a column with a time, or a topic with "
    "`message.timestamp.type=LogAppendTime`, which notes when each record came into it.",
)
