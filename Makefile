# `make run` and `make test` need Python 3.11 or newer, make and a package index; they see to everything else.

.DEFAULT_GOAL := help
.PHONY: help run admin-password test check bench format clean

python := .venv/bin/python
# Python 3.12 and 3.11 first: the embedded Redis has wheels for these two and is compiled for any other.
candidates := $(or $(PYTHON),python3.12 python3.11 python3 python3.13 python3.14)

# A pyenv shim is on the PATH whether or not it leads anywhere, so a candidate counts only if it runs.
define environment
@for candidate in $(candidates); do \
	"$$candidate" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& exec "$$candidate" -I config/install.py $(1); \
done; \
echo "whyral: no working Python 3.11 or newer among: $(candidates). Install one, or name one: PYTHON=/path/to/python3.12 make $@" >&2; \
exit 1
endef

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1	/p' Makefile

run: ## start everything, on http://127.0.0.1:8000 (PORT=9000 make run for another port)
	$(call environment,run)
	@exec $(python) -m config.run

admin-password: ## a new password for the admin, where `make run` showed the first one too long ago
	$(call environment,run)
	@$(python) manage.py admin_password

test: ## the whole suite
	$(call environment,dev)
	@# One more than there are cores, four at most: the drills wait for what they break.
	@$(python) -m pytest $(or $(ARGS),--numprocesses=$$($(python) -c 'import os; print(min(4, (os.cpu_count() or 1) + 1))') --dist=loadfile)

check: export DEBUG := true
check: ## format, lint, types, import contracts, migrations, deployment settings
	$(call environment,dev)
	$(python) -m ruff format --check .
	$(python) -m ruff check .
	$(python) -m mypy .
	$(python) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	$(python) manage.py makemigrations --check --dry-run
	@echo "manage.py check --deploy, with the settings of a production machine"
	@DEBUG=false SECRET_KEY="$$($(python) -c 'import secrets; print(secrets.token_urlsafe(64))')" \
		ALLOWED_HOSTS=whyral.example PUBLIC_URL=https://whyral.example TRUSTED_PROXIES=1 EMAIL_URL=smtp://mail.example \
		DATABASE_URL=postgresql://database.example/whyral REDIS_URL=redis://redis.example/0 \
		$(python) manage.py check --deploy --fail-level WARNING

bench: ## measure against bare Django and the textbook stack, side by side
	$(call environment,dev)
	@$(python) -m benchmarks $(ARGS)

format: ## put the code into its format
	$(call environment,dev)
	$(python) -m ruff check --fix --quiet . || true
	$(python) -m ruff format .

clean: ## remove what was installed and cached; the data in .local stays
	rm -rf .venv .local/uv .local/requirements.txt .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
