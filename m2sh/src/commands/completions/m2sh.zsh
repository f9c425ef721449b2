#compdef m2sh
# Completion of m2sh for zsh: put `eval "$(m2sh completions zsh)"` into ~/.zshrc, behind compinit, or this file as
# _m2sh into a folder of $fpath.

_m2sh() {
    local -a words_ helps
    local word help
    # A word and what it does, with a tab between; words bring their own quotes, and the blank that ends them.
    while IFS=$'\t' read -r word help; do
        words_+=("$word")
        helps+=("${(Q)word}${help:+  -- $help}")
    done < <("${words[1]}" complete zsh -- "$LBUFFER" 2>/dev/null)
    (( $#words_ )) && compadd -Q -S '' -U -l -d helps -a words_
}
if [ "$funcstack[1]" = _m2sh ]; then
    _m2sh "$@"
else
    compdef _m2sh m2sh
fi
