#!/usr/bin/env bash
# Spark reads the folder of the flow store and is asked what `palisade flows query` is asked; Azurite keeps a store over the protocol of
# Azure Blob, and moto one over that of S3. Any difference fails.
#
# PySpark lives in target/judges, by a hash of what pins it. It is not part of `make test`: it is 400 MB, and built where it is
# installed. Java 17 is installed by apt where it is missing and this may be done. What cannot be had prints `skipped: ` and why.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source scripts/judges.sh

azurite_version=3.37.0

main() {
    azurite
    moto
    spark
}

azurite() {
    have_azurite || { say "skipped: Azurite, because it could not be installed"; return; }
    cargo build --quiet --locked --workspace --bin palisade
    buckets azurite "$modules/node_modules/.bin/azurite-blob"
}

moto() {
    local pin=tests/judges/requirements/moto.txt
    venv=$(target_dir)/judges/moto-$(sha256sum "$pin" | cut -c 1-16)
    fill_venv "$venv" "$pin" || { say "skipped: moto, because it could not be installed"; return; }
    cargo build --quiet --locked --workspace --bin palisade
    buckets moto "$venv/bin/moto_server"
}

buckets() {
    PYTHONDONTWRITEBYTECODE=1 python3 tests/judges/buckets.py "$(target_dir)/debug/palisade" crates/flowstore/tests/golden "$@"
}

spark() {
    have_java || { say "skipped: Spark, because Java 17 is missing and cannot be installed"; return; }
    have_spark || { say "skipped: Spark, because PySpark could not be installed"; return; }
    cargo build --quiet --locked --workspace --bin palisade
    PYTHONDONTWRITEBYTECODE=1 SPARK_LOCAL_IP=127.0.0.1 "$venv/bin/python" tests/judges/flows.py "$(target_dir)/debug/palisade" spark
}

have_azurite() {
    have npm && have python3 || return
    modules=$(target_dir)/judges/azurite-$azurite_version
    [[ -f $modules/complete ]] && return
    say "engines: installing Azurite"
    rm -rf "$modules" && mkdir -p "$modules"
    timeout "$install_seconds" npm install --prefix "$modules" --silent --no-audit --no-fund --ignore-scripts "azurite@$azurite_version" >&2 &&
        touch "$modules/complete"
}

have_java() {
    have java && return
    have apt-get && "${as_root[@]}" apt-get install --yes --quiet openjdk-17-jre-headless >&2
}

# PySpark comes as source alone, so this is not `judge_venv`, which takes finished packages only.
have_spark() {
    local pin=tests/judges/requirements/spark.txt
    venv=$(target_dir)/judges/spark-$(sha256sum "$pin" | cut -c 1-16)
    fill_venv "$venv" "$pin"
}

main "$@"
