"""What is learned: one folder a task. A stranger's is named by its dotted path."""

from __future__ import annotations

from bessemer.config import load_dotted
from bessemer.errors import UsageError
from bessemer.task.classify.task import Classification
from bessemer.task.language.task import LanguageModelling
from bessemer.task.task import Task

TASKS: dict[str, Task] = {"classify": Classification(), "language": LanguageModelling()}


def find_task(name: str) -> Task:
    """A task by its name, or by the dotted path of a class or of a value of one."""
    if name in TASKS:
        return TASKS[name]
    remedy = f"known: {', '.join(TASKS)}, or the dotted path of a class of your own"
    if "." not in name:
        raise UsageError(f"no task {name!r}", remedy)
    found = load_dotted(name, "task")
    made = found() if isinstance(found, type) and issubclass(found, Task) else found
    if not isinstance(made, Task):
        raise UsageError(f"{name!r} is not a task", "derive it from bessemer.task.task.Task")
    return made


__all__ = ["TASKS", "Task", "find_task"]
