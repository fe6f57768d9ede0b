"""What `augment.preset` stands for, for text: values of published recipes, from gentle to strong.

No preset corrupts whole spans, which can hide the words that tell classes apart.

Sources: a mask on up to 15% of tokens, Devlin et al. 2019; deletion and swaps of up to 10%, Wei and Zou, "EDA",
2019.
"""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "light": {"token_mask": 0.05},
    "standard": {"token_mask": 0.1, "token_delete": 0.05},
    "strong": {"token_mask": 0.15, "token_delete": 0.1, "token_swap": 0.05},
}
