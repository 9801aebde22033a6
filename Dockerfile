# syntax=docker/dockerfile:1
# Build and run: docker compose up --build. docs/hosting.md says what is in the image and how large it is.
# Every RUN is a script that the tests run too (tests/packaging).

FROM python:3.12-slim AS build
WORKDIR /app
COPY requirements.txt requirements.lock ./
COPY scripts/_python_env.sh scripts/
COPY scripts/dev/image_install.sh scripts/dev/
ENV PIP_CACHE_DIR=/var/cache/pip
RUN --mount=type=cache,target=/var/cache/pip ["scripts/dev/image_install.sh"]
COPY . .
ENV PATH=/app/.venv/bin:$PATH
# The ImageNet model needs a download. Offline the build goes on without it, and says so.
RUN ["scripts/dev/image_models.sh"]

FROM python:3.12-slim
# 1000 is also the user that Hugging Face Spaces run a container as.
RUN ["useradd", "--uid", "1000", "--user-group", "--home-dir", "/data", "--create-home", "app"]
COPY --from=build --chmod=a+rX,go-w /app /app
WORKDIR /app
# Everything that is written while running goes to /tmp, except the models that people install: those go to /data.
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    AISR_CACHE_DIR=/tmp/aisr-cache \
    AISR_DATA_DIR=/data \
    AISR_WORK_DIR=/tmp/aisr-stacks \
    STREAMLIT_SERVER_HEADLESS=true \
    # Without an address to print, Streamlit would ask a server on the internet for its own.
    STREAMLIT_BROWSER_SERVER_ADDRESS=localhost \
    # In the frame of a Hugging Face Space browsers withhold the cookie that this check needs, and class labels could
    # not be uploaded. The address they are sent to still holds the session's id, which nobody can guess, and pages of
    # other sites are refused by another check. compose.yaml turns it on again, and lets nobody frame the app.
    STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION=false \
    AISR_FRAME_ANCESTORS=https://huggingface.co
USER 1000:1000
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "scripts.dev.healthcheck"]
ENTRYPOINT ["scripts/dev/image_start.sh"]
