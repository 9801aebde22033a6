# Sourced by run.sh and test.sh: makes .venv in the repository and installs requirements files into it.
# Changes to the repository's root. Keeps to bash 3.2, the one macOS has.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# PyTorch's own index of builds without CUDA, which are a tenth of the size.
readonly TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu
readonly VENV=.venv
readonly VENV_PYTHON=$VENV/bin/python
# Exists only while .venv changes: found at the start, it means that an earlier run was interrupted.
readonly UNFINISHED=$VENV/.unfinished

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# Print the command of a Python that is new enough; $PYTHON, where set, is the only candidate.
find_python() {
  local candidate candidates=(python3 python3.14 python3.13 python3.12 python3.11)
  [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    if is_new_enough "$candidate"; then
      printf '%s' "$candidate"
      return
    fi
  done
  fail "Python 3.11 or newer is needed, and ${candidates[0]} is not: install it, or name one with PYTHON=/path/to/python3"
}

make_venv() {
  local python
  python=$(find_python)
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python cannot make virtual environments: install its venv package (Debian, Ubuntu: apt install python3-venv)."
  say "Making $VENV with $("$python" --version) ..."
  rm -rf "$VENV"
  mkdir "$VENV"
  touch "$UNFINISHED"
  "$python" -m venv "$VENV"
}

pip_install() {
  # Progress is for people: a log gets warnings and errors only.
  local verbosity=--quiet
  [[ ! -t 1 ]] || verbosity=--progress-bar=on
  "$VENV_PYTHON" -m pip install --disable-pip-version-check "$verbosity" "$@"
}

# torch and torchvision alone (--no-deps): everything else comes from the default index.
install_cpu_torch() {
  local pins
  pins=$(grep -E '^(torch|torchvision)==' requirements.txt)
  # shellcheck disable=SC2086 # one argument for each pin
  pip_install --no-deps --index-url "$TORCH_CPU_INDEX" --retries 0 --timeout 10 $pins ||
    say "PyTorch's CPU index cannot be used: taking torch from the default index, where it may be much larger."
}

# A copy of each requirements file, made when pip has finished, says what .venv holds.
stamp_of() { printf '%s/.installed-%s' "$VENV" "$1"; }
is_installed() { cmp -s "$1" "$(stamp_of "$1")"; }

# ensure_installed FILE...: make .venv hold these requirements files, requirements.txt first.
ensure_installed() {
  local file
  # Two starts at once would work on the same half-made .venv. Closing the descriptor frees the lock.
  # Where there is no flock (macOS) or it does not work (some network file systems), go without.
  exec 9<requirements.txt
  if command -v flock >/dev/null && ! flock -n 9; then
    say "Waiting for another installation into $VENV ..."
    flock 9 || true
  fi
  # pip turns Ctrl+C into an ordinary failure; the trap keeps the two apart, so that only an interruption,
  # which may leave half a package behind, makes the next start begin anew.
  trap 'exit 130' INT TERM
  if [[ -e $UNFINISHED ]] || ! is_new_enough "$VENV_PYTHON"; then
    make_venv
  fi
  for file in "$@"; do
    ! is_installed "$file" || continue
    say "Installing $file into $VENV: the first time takes a few minutes ..."
    touch "$UNFINISHED"
    [[ $file != requirements.txt ]] || install_cpu_torch
    if ! pip_install -r "$file"; then
      rm -f "$UNFINISHED"
      fail "Installing $file failed for the reason above. Start again to retry."
    fi
    cp "$file" "$(stamp_of "$file")"
  done
  rm -f "$UNFINISHED"
  trap - INT TERM
  exec 9<&-
}
