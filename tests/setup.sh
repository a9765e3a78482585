# shellcheck shell=bash disable=SC2034
# Sourced by tests/run.sh and experiments/quickstart.sh and .ci/run: packages, configuring and building, from the repository's root.

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }

# Packages of Debian 12 and Ubuntu 24.04.
library_packages="zlib1g-dev libpng-dev libeigen3-dev libyaml-cpp-dev nlohmann-json3-dev libcli11-dev"
test_packages="libgtest-dev libbenchmark-dev"
onednn_package=libdnnl-dev # faster matmuls on the CPU; the build does without it

has_package() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Those of the given packages that are not installed. A compiler, make or CMake from elsewhere will do.
missing_packages() {
  command -v "${CXX:-g++}" >/dev/null || printf 'g++ '
  command -v make >/dev/null || printf 'make '
  command -v cmake >/dev/null || printf 'cmake '
  local package
  for package in "$@"; do has_package "$package" || printf '%s ' "$package"; done
}

# require_packages PACKAGE...: lists what is missing and installs it, or says how to.
require_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "No dpkg here: the packages cannot be checked. Needed, by their names in Debian: g++ make cmake (3.25) $*"
    return
  fi
  local missing as_root=""
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  if [ "$missing" = "$onednn_package " ] && ! may_install; then
    say "Without $onednn_package: matmuls on the CPU take the plain loops, which are slower."
    return 0
  fi
  say "Missing packages: $missing"
  if ! may_install; then
    say "They cannot be installed from here (neither root nor sudo). Ask an administrator to run"
    say "    apt-get update && apt-get install -y $missing"
    say "and start this script again."
    exit 1
  fi
  [ "$(id -u)" = 0 ] || as_root=sudo
  say "Installing them: ${as_root:+$as_root }apt-get install -y $missing"
  $as_root apt-get update -qq || say "apt-get update failed; trying with the package lists that are here."
  # shellcheck disable=SC2086  # a list of words
  if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null; then
    say "apt-get could not install them. With a network, run"
    say "    apt-get update && apt-get install -y $missing"
    say "as root and start this script again; everything after that works offline."
    exit 1
  fi
}

may_install() {
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; }
}

cores() { nproc 2>/dev/null || echo 2; }

# As many compilers as cores, but no more than memory holds (1.5 GB each).
jobs_that_fit() {
  local jobs memory
  jobs=$(cores)
  memory=$(awk '/^MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo 2>/dev/null || true)
  if [ -n "$memory" ] && [ "$memory" -lt "$jobs" ]; then jobs=$memory; fi
  [ "$jobs" -ge 1 ] || jobs=1
  echo "$jobs"
}

# build PRESET DIRECTORY TARGET...   With LATENT_WERROR=ON in the environment a warning is an error.
build() {
  local preset=$1 directory=$2 log
  shift 2
  mkdir -p "$directory"
  log=$directory/configure.log
  if ! cmake --preset "$preset" -DLATENT_WERROR="${LATENT_WERROR:-OFF}" >"$log" 2>&1; then
    cat "$log"
    exit 1
  fi
  sed -n 's/^-- latent/latent/p' "$log"
  cmake --build "$directory" --parallel "$(jobs_that_fit)" --target "$@"
}
