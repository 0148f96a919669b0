"""The completion scripts. Each only passes the words on and shows what comes back."""

from __future__ import annotations

# Bash replaces only what follows the last : or = of a word, so that much is cut off every candidate.
BASH = r"""# conduit completion for bash; to be evaluated: eval "$(conduit completion bash)"
_conduit() {
    local line="${COMP_LINE:0:COMP_POINT}" current prefix candidate quoted
    local -a words
    read -ra words <<< "$line"
    [[ "$line" == *[[:space:]] ]] && words+=("")
    current="${words[${#words[@]}-1]}"
    prefix="${current%"${current##*[:=]}"}"
    COMPREPLY=()
    while IFS=$'\t' read -r candidate _; do
        if [[ "$candidate" == ":files" ]]; then
            compopt -o default 2>/dev/null
        else
            printf -v quoted '%q' "${candidate#"$prefix"}"
            COMPREPLY+=("$quoted")
        fi
    done < <("${words[0]}" completion candidates -- "${words[@]:1}" 2>/dev/null)
}
complete -F _conduit conduit
"""

ZSH = r"""#compdef conduit
# conduit completion for zsh; to be evaluated: eval "$(conduit completion zsh)"
_conduit() {
    local -a lines candidates
    local line value escaped='\:'
    lines=("${(@f)$(${words[1]} completion candidates -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in "${lines[@]}"; do
        [[ -z "$line" ]] && continue
        if [[ "$line" == ":files" ]]; then
            _files
            continue
        fi
        value="${${line%%$'\t'*}//:/$escaped}"
        if [[ "$line" == *$'\t'* ]]; then
            candidates+=("$value:${line#*$'\t'}")
        else
            candidates+=("$value")
        fi
    done
    (( ${#candidates} )) && _describe conduit candidates
}
if [[ "${funcstack[1]}" == "_conduit" ]]; then
    _conduit "$@"
else
    compdef _conduit conduit
fi
"""

FISH = r"""# conduit completion for fish; to be kept as ~/.config/fish/completions/conduit.fish
function __conduit_candidates
    set -l words (commandline -opc) (commandline -ct)
    $words[1] completion candidates -- $words[2..-1] 2>/dev/null
end
complete -c conduit -f
complete -c conduit -n 'not __conduit_candidates | string match -q ":files"' -a '(__conduit_candidates)'
complete -c conduit -n '__conduit_candidates | string match -q ":files"' -F
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
