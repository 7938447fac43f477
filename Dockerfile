# settlementd in a container: built on Debian 12, run on its slim variant with nothing but the libraries it needs, as a
# user of its own. compose.yaml starts it beside a MariaDB; docs/operations.md tells how to point it at another.

FROM debian:12 AS build
WORKDIR /source
COPY script/bootstrap script/
RUN script/bootstrap --build
COPY . .
# Units and users of systemd have no use here.
RUN make --jobs="$(nproc)" PREFIX=/usr \
    && make install PREFIX=/usr DESTDIR=/stage \
    && rm -r /stage/usr/lib

FROM debian:12-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libmariadb3 libuv1 libconfig9 libsystemd0 libjansson4 libcsv3 libssl3 tzdata ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin settlementd \
    && install --directory --owner=settlementd --group=settlementd /var/lib/settlementd
COPY --from=build /stage/ /
# Where a container engine puts a secret: database-password there is the password, as with systemd's credentials.
ENV CREDENTIALS_DIRECTORY=/run/secrets
# Where the daemon remembers what the database has acknowledged; keep it from container to container.
VOLUME /var/lib/settlementd
USER settlementd
# The daemon; `docker run IMAGE run daily-settlement --date D` is one day in the foreground.
ENTRYPOINT ["/usr/bin/settlementd"]
# SIGTERM lets the running chunks finish; give it time (docker stop --time, stop_grace_period).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["/usr/bin/settlectl", "status", "--check-daemon"]
