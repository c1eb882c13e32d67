/**
 * Each asks `lamina __complete WORD...` (answer.ts) for each completion, so they need not be renewed for another
 * version.
 */
export const shells = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof shells)[number];

const bash = `# bash completion of lamina
_lamina() {
  local line files=
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then files=1; else COMPREPLY+=("\${line%%$'\\t'*}"); fi
  done < <("$1" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  [[ -n $files ]] || return 0
  if ((\${#COMPREPLY[@]})); then
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$2")
    compopt -o filenames
  else
    compopt -o default
  fi
}
complete -F _lamina lamina
`;

const zsh = `#compdef lamina
_lamina() {
  local line files=
  local -a found
  while IFS= read -r line; do
    if [[ $line == :files ]]; then files=1; else found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}"); fi
  done < <("$words[1]" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  ((\${#found})) && _describe lamina found
  [[ -z $files ]] || _files
}
if [[ $funcstack[1] == _lamina ]]; then _lamina "$@"; else compdef _lamina lamina; fi
`;

const fish = `# fish completion of lamina
function __lamina_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in (lamina __complete $words[2..-1] "$current" 2>/dev/null)
    if test "$line" = :files
      __fish_complete_path "$current"
    else
      echo $line
    end
  end
end
complete -c lamina -f -a '(__lamina_complete)'
`;

export const completionScripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
