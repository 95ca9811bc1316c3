# socketio-node as an image: built with the toolchain, run without it and not as root.

FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
RUN swift build -c release --product socketio-node \
    && install -D "$(swift build -c release --show-bin-path)/socketio-node" /out/socketio-node

# The runtime libraries that the binary needs, without the compiler.
FROM swift:6.3-bookworm-slim
COPY --from=build /out/socketio-node /usr/local/bin/socketio-node
COPY config/node.yaml /etc/socketio/node.yaml
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin socketio
USER 10001
ENV SOCKETIO_CONFIG=/etc/socketio/node.yaml \
    SOCKETIO_LISTEN_HOST=0.0.0.0
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["socketio-node", "health"]
ENTRYPOINT ["socketio-node"]
CMD ["serve"]
