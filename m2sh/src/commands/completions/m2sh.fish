# Completion of m2sh for fish: put `m2sh completions fish | source` into ~/.config/fish/config.fish, or this file into
# ~/.config/fish/completions/m2sh.fish.

complete -c m2sh -f -a '(m2sh complete fish -- (commandline -cp) 2>/dev/null)'
