"""The separating questions in words. A refit writes those into the framework that it uses.

Each is answerable in seconds, from what the task is and before anything was tried.
"""

from __future__ import annotations

QUESTIONS: dict[str, dict[str, str | int]] = {
    "house_convention": {
        "title": "a house convention to learn",
        "ask": "Is what counts as right a convention of your own that examples show better than "
        "words?",
        "why": "A label scheme, a layout or a way of writing that only your people know can't be "
        "in a base model, and a description of it is never complete. Examples carry it.",
        "means": "Two experts from elsewhere would do it differently, and neither would be wrong.",
        "example": "Twenty-three fields of a report, filled as your department fills them.",
        "minutes": 1,
    },
    "narrow_task": {
        "title": "a narrow task",
        "ask": "Is it one task, with the same kind of input and the same kind of output each time?",
        "why": "A few hundred examples can cover one narrow task and no broad one.",
        "means": "You could write the input and the output of every request into one form.",
        "example": "Name the clause type of a contract clause.",
        "minutes": 1,
    },
    "constraint_gap": {
        "title": "only cost, time or privacy is missing",
        "ask": "Is the quality good enough already, and only cost, waiting time or privacy isn't?",
        "why": "A small tuned model often keeps the quality of a large prompted one at a fraction "
        "of the price, and it runs where you want it to.",
        "means": "A large model with a prompt does it well, and you can't afford or allow it.",
        "example": "The hosted model routes requests rightly, and takes three seconds for it.",
        "minutes": 1,
    },
    "output_gradable": {
        "title": "output that can be graded",
        "ask": "Can a program or a key tell whether an output is right?",
        "why": "What can be graded can be filtered into training data and compared honestly.",
        "means": "Two graders would hardly ever differ.",
        "example": "A category, a number, a query that runs and gives the expected rows.",
        "minutes": 1,
    },
    "knowledge_facts": {
        "title": "facts the base model can't have",
        "ask": "Does it fail because it lacks facts that are private, rare or new?",
        "why": "Facts are looked up more surely than they are learnt, and they can be corrected. "
        "Training on them needs many wordings of each and still forgets some.",
        "means": "With the right page in the prompt the answer would be right.",
        "example": "Questions about events after the model's training, or about your own products.",
        "minutes": 1,
    },
    "open_ended_chat": {
        "title": "open-ended conversation",
        "ask": "Is it a conversation that may go anywhere?",
        "why": "No set of examples covers what people may say next, and a large general model has "
        "seen more of it than you can collect.",
        "means": "You can't list what users will ask.",
        "example": "A companion that answers as an author would, on any subject.",
        "minutes": 1,
    },
    "content_changes": {
        "title": "content that changes",
        "ask": "Do the facts in the answers change from month to month?",
        "why": "A trained model knows the day it was trained; an index is refreshed over night.",
        "means": "An answer that was right last month would be wrong today.",
        "example": "Prices, schedules, news.",
        "minutes": 1,
    },
    "policy_changes": {
        "title": "rules that change",
        "ask": "Do the rules by which it should answer change from month to month?",
        "why": "Behaviour that was trained in has to be trained out again.",
        "means": "The same question should be answered differently next month.",
        "example": "A returns policy that is rewritten every season.",
        "minutes": 1,
    },
}
