"""BrightData: jobs that are triggered, asked after and downloaded."""

from social.scrapers.brightdata.scraper import BrightData

__all__ = ["BrightData"]
