#!/usr/bin/env bash
# Builds build/latent and trains experiments/quickstart.yaml on the embedded data set: from a fresh clone to a report.
# Options are passed to `latent run`: experiments/quickstart.sh --overwrite --set train.epochs=20
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tests/setup.sh

step "Packages"
# shellcheck disable=SC2086
require_packages $library_packages $onednn_package
say "complete"

step "Build"
build default build latent

step "Train"
# What an earlier call left unfinished is continued; what it finished is printed.
build/latent run experiments/quickstart.yaml --resume "$@"

summary=$(find runs/quickstart* -name summary.json -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
say ""
sed -n 's/.*"device": *"\([^"]*\)".*/Device: \1/p' "$summary" | head -n 1
say "Report: ${summary%summary.json}report.html"
