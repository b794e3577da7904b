#!/bin/bash
# vim - undo trees, substitutions, macros, dictionaries and lists in silent ex
# mode.
. "$(dirname "$0")/common"
needs vim

seq -f 'line %.0f of a text with some words in it' 20000 >"$input/text"
cat >"$input/work.vim" <<'END'
set nocompatible undolevels=1000 maxmempattern=100000
%s/line \(\d\+\)/\1 enil/
g/7 enil/move 0
%s/\<\(w\w*\)\>/<\U\1>/g
normal ggqq0xA!jq500@q
sort n
undo
undo
redo
g/3 enil.*in/normal ddp
let d = {}
for i in range(1, line('$'))
  let d['k' . i % 997] = get(d, 'k' . i % 997, '') . getline(i)[0:5]
endfor
call append('$', map(sort(keys(d)), 'v:val . len(d[v:val])'))
let l = repeat(split('a b c d e f'), 3000)
call append('$', join(l, ','))
for i in range(200)
  undo
  redo
endfor
write! out/text
quitall!
END

workload()
{
	vim -u NONE -N -i NONE -n -es -S "$input/work.vim" "$input/text" \
		</dev/null
}

compare_runs
check_served vim -u NONE -es -c quit
finish
