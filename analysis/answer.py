"""The shape of an explanation: what every analyst answers, a model through structured output, and nothing else."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LONGEST_CLAIM = 1200
Ids = Annotated[list[str], Field(description="Ids of the evidence that shows it, such as c1 or t3. Never empty.")]


class Claim(BaseModel):
    """One statement and the evidence it rests on."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    text: str = Field(min_length=1, max_length=LONGEST_CLAIM)
    evidence: Ids = Field(default_factory=list, max_length=12)


class Observation(BaseModel):
    """What is seen and heard in the post, each part a claim; a part that the post does not have is null."""

    model_config = ConfigDict(extra="ignore")

    hook: Claim | None = Field(default=None, description="How it begins: the first line, the first three seconds.")
    structure: Claim | None = Field(default=None, description="How it is built from beginning to end.")
    delivery: Claim | None = Field(default=None, description="How it is told: voice, pace, words.")
    visuals: Claim | None = Field(default=None, description="What is to be seen, from the frames.")
    call_to_action: Claim | None = Field(default=None, description="What it asks people to do.")
    timing: Claim | None = Field(default=None, description="When it was posted.")


class Explanation(BaseModel):
    """Why the post did as it did, and what to do next. Whether it is viral is computed, and not asked here."""

    model_config = ConfigDict(extra="ignore")

    virality_reasoning: list[Claim] = Field(min_length=1, max_length=8)
    quick_takeaways: list[Claim] = Field(min_length=3, max_length=5)
    creator_context: list[Claim] = Field(min_length=1, max_length=4)
    content_observation: Observation
    replicable_elements: list[Claim] = Field(min_length=1, max_length=8)
    viral_formula: Claim
    improvements: list[Claim] = Field(min_length=1, max_length=8)
    suggestions_for_future_posts: list[Claim] = Field(min_length=4, max_length=4)
