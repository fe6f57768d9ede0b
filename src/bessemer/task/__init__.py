"""What is learned: one folder a task. A stranger's is named by its dotted path."""

from __future__ import annotations

from bessemer.dotted import find_named
from bessemer.errors import UsageError
from bessemer.task.classify.task import Classification
from bessemer.task.language.task import LanguageModelling
from bessemer.task.regress.task import Regression
from bessemer.task.task import Task, incomplete

TASKS: dict[str, Task] = {one.name: one for one in (Classification(), Regression(), LanguageModelling())}


def find_task(name: str) -> Task:
    """A task by its name, or by the dotted path of a class or of a value of one."""
    task = find_named(name, TASKS, "task", Task)
    if missing := incomplete(task):
        problem = f"{name!r} does not say its {', '.join(missing)}, which have no default"
        raise UsageError(problem, "docs/extend.md and bessemer.task.task.Task say what each is")
    return task


__all__ = ["TASKS", "Task", "find_task"]
