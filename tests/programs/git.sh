#!/bin/bash
# git - a repository made on the spot: many commits, branches, a merge, a
# clone, gc and repack with threads, fsck, blame and log.
#
# 1. Names and dates are fixed, so every object name is compared; packs are
#    not, since how threads share the delta search decides their bytes.
. "$(dirname "$0")/common"
needs git awk
export GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org
export GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'

# 200 commits by fast-import, each changing one of 40 files of 500 lines.
awk 'BEGIN {
	srand(5)
	for (c = 1; c <= 200; c++) {
		f = c % 40
		body = ""
		for (l = 1; l <= 500; l++)
			body = body "file " f " line " l " version " \
				(l % (1 + int(rand() * 50)) ? 0 : c) "\n"
		printf "commit refs/heads/main\nmark :%d\n", c
		printf "committer C <c@example.org> %d +0000\n", 1600000000 + c
		msg = "commit " c "\n"
		printf "data %d\n%s", length(msg), msg
		if (c > 1)
			printf "from :%d\n", c - 1
		printf "M 100644 inline dir%d/file%d\n", f % 7, f
		printf "data %d\n%s\n", length(body), body
	}
}' >"$input/stream"

commits()
{
	local i

	for i in {1..25}; do
		echo "change $i" >>dir1/file1
		seq $((i * 100)) >"new$i"
		git add -A
		git commit -q -m "change $i"
	done
}

workload()
{
	git init -q -b main repo
	cd repo
	git fast-import --quiet <"$input/stream"
	git checkout -q main
	commits
	git checkout -q -b side HEAD~20
	seq 5000 >side
	git add side
	git commit -q -m side
	git checkout -q main
	git merge -q -m merge side
	git tag -a -m tag v1
	git gc -q --aggressive --prune=now
	git -c pack.threads=4 repack -adfq --depth=20 --window=30
	git fsck --full --strict 2>&1 | grep -v '^notice' || true
	git log --stat -p -M --format='%H %T %s' >../out/log
	git blame dir1/file1 >../out/blame
	git grep -n --threads 4 'line 77 version' | sort >../out/grep
	git diff --stat HEAD~50 HEAD
	git archive --format=tar HEAD >../out/archive.tar
	cd ..
	git clone -q --no-local repo copy 2>&1
	git -C copy -c index.threads=4 status -s
	git -C copy rebase -q -X theirs --onto HEAD~30 HEAD~10 2>&1
	git -C copy rev-list --objects --all | sort >out/objects
	git -C copy fsck
	git -C copy for-each-ref
	git -C repo bundle create -q ../all.bundle --all
	git -C copy bundle verify -q ../all.bundle
	git -C repo count-objects -v | grep -E '^(count|in-pack|packs|garbage)'
}

compare_runs
check_served git -c pack.threads=4 -C "$top/preloaded/repo" repack -adfq
finish
