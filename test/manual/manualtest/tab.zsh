# tab.zsh DIR MARK LINE...: for each LINE what a Tab offers in an interactive zsh
# with DIR in $fpath and DIR/files as the working directory, then MARK.
#
# The inner zsh has a terminal by zpty. Its compadd is wrapped: every candidate is
# printed between two marks. The next line begins by killing what became of this one.
emulate -L zsh
zmodload zsh/zpty
dir=$1 mark=$2
shift 2

zpty tab "TERM=dumb zsh -f -i"
zpty -w tab "
PROMPT= PS2= RPROMPT=
unsetopt zle_bracketed_paste 2>/dev/null
stty -echo
fpath=(${(q)dir} \$fpath)
autoload -Uz compinit && compinit -u -D
cd ${(q)dir}/files
zstyle ':completion:*' completer _complete
zstyle ':completion:*' list-colors ''
LISTMAX=9999999
setopt rc_quotes no_list_beep
before() { print -r -- '<<candidates'; compprefuncs=(before) }
after() { print -r -- 'candidates>>'; comppostfuncs=(after) }
compprefuncs=(before) comppostfuncs=(after)
compadd() {
    if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then
        builtin compadd \"\$@\"
        return
    fi
    local -a hits
    builtin compadd -A hits \"\$@\"
    (( \$#hits )) && print -rl -- \$hits
    builtin compadd \"\$@\"
}
bindkey '^U' kill-whole-line
bindkey '^I' complete-word
print -r -- ready'>>'
"
wait_for() {
    local line all=
    while zpty -r tab line; do
        line=${line%$'\n'}
        line=${line%$'\r'}
        [[ $line == *$1 ]] && break
        all+=$line$'\n'
    done
    print -rn -- "$all"
}
wait_for 'ready>>' >/dev/null

for line in "$@"; do
    zpty -n -w tab $'\C-U'$line$'\t'
    out=$(wait_for 'candidates>>')
    print -r -- "${out##*<<candidates}"
    print -r -- $mark
done
zpty -d tab
