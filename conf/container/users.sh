# Makes owner and worker (migrations/users.sql) in compose.yaml's MariaDB, and gives them the passwords of its secrets. The
# image reads this once, when its data folder is new; it brings the function docker_process_sql and runs under `set -e`.

set_password() {
    local password
    password=$(cat "/run/secrets/$2")
    case $password in
    '' | *[!A-Za-z0-9+/=_.-]*)
        echo "secrets/$2: only letters, digits and + / = _ . - , and not empty" >&2
        return 1
        ;;
    esac
    docker_process_sql <<<"ALTER USER $1@localhost IDENTIFIED BY '$password'"
}

docker_process_sql --database=settlement </usr/share/settlementd/users.sql
set_password settlement_owner owner-password
set_password settlementd database-password
