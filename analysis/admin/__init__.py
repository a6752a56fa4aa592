"""The desk for analyses: how far each is, what came of it, what it cost; tried again, called off, run again."""

from analysis.admin.answers import ModelAnswerAdmin
from analysis.admin.posts import PostAnalysisAdmin
from analysis.admin.requests import PostAnalysisRequestAdmin

__all__ = ["ModelAnswerAdmin", "PostAnalysisAdmin", "PostAnalysisRequestAdmin"]
