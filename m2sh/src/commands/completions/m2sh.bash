# Completion of m2sh for bash: put `eval "$(m2sh completions bash)"` into ~/.bashrc, or this file into
# /usr/share/bash-completion/completions/m2sh.

_m2sh() {
    local IFS=$'\n'
    # Candidates bring their own quotes, and the blank that ends a whole word.
    COMPREPLY=($("$1" complete bash -- "${COMP_LINE:0:COMP_POINT}" "${COMP_WORDS[COMP_CWORD]}" 2>/dev/null))
}
complete -o nospace -F _m2sh m2sh
