# One image for every part of the service; docker-compose.yml says which command each part runs.

FROM python:3.12-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /srv/whyral
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
# The lock alone first: this layer is rebuilt only when a dependency changes.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --extra sentry --compile-bytecode --no-cache
COPY . .
# Collecting static files starts Django, which refuses to start in production without these. None of them stays.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
    DEBUG=false ALLOWED_HOSTS=build.invalid PUBLIC_URL=https://build.invalid \
    DATABASE_URL=postgresql://build.invalid/build REDIS_URL=redis://build.invalid/0 \
    .venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
 && .venv/bin/python -m compileall -q accounts analytics config core feedback logs

FROM python:3.12-slim-bookworm
# A volume mounted over the spool's folder takes its owner from here.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin whyral \
 && install --directory --owner 10001 --mode 0700 /var/spool/whyral
WORKDIR /srv/whyral
COPY --from=build /srv/whyral /srv/whyral
ENV PATH=/srv/whyral/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DEBUG=false \
    DJANGO_SETTINGS_MODULE=config.settings SPOOL_DIR=/var/spool/whyral
USER whyral
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["python", "deploy/healthcheck.py"]
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "8", \
     "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "30", "config.wsgi:application"]
