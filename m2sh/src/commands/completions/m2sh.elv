# Completion of m2sh for Elvish: put `eval (m2sh completions elvish | slurp)` into ~/.config/elvish/rc.elv.

set edit:completion:arg-completer[m2sh] = {|@words|
  var _ @rest = $@words
  (external m2sh) complete elvish -- $@rest 2>/dev/null | from-lines | each {|line|
    edit:complex-candidate $line &code-suffix=(if (eq $line[-1..] /) { put '' } else { put ' ' })
  }
}
