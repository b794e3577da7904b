# numa-kernel.sh - the guest's kernel, out of a Debian package.
#
# 1. A package is downloaded once with apt-get, never installed; the kernel and
#    a few modules of it stay in $cache, which any number of callers share.
# 2. kernel_fetch sets kernel_dir: vmlinux or vmlinuz, modules/, config.
# 3. The caller has $kernel_package, $update, chat and die.

cache=${NUMA_GUEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/numa-guest}
# What the guest needs to find its root.
kernel_modules=(virtio_pci 9p 9pnet_virtio overlay)

# apt_download PACKAGE FOLDER: unpacks PACKAGE below FOLDER.
apt_download()
{
	chat "downloading $1"
	mkdir -p "$2/deb"
	(cd "$2/deb" && apt-get -qq -o APT::Sandbox::User=root \
		download "$1" >&2) ||
		die "cannot download $1; apt-get update may help"
	dpkg -x "$2"/deb/*.deb "$2"
	rm -r "$2/deb"
}

# module_insert NAME ROOT OUT: copies module NAME and what it depends on from
# the package unpacked at ROOT to the folder OUT, and lists them in OUT/order,
# dependencies first. Their names come from the modules themselves: the package
# has no modules.dep.
module_insert()
{
	local name=${1//-/_} root=$2 out=$3 file dependency dependencies

	[[ ! -e $out/$name.ko ]] || return 0
	# A file's name may have a dash where the module's has an underscore.
	file=$(find "$root" -name "${name//_/[-_]}.ko*" -print -quit)
	if [[ ! $file ]]; then
		grep -q "/${name//_/[-_]}\.ko" \
			"$root"/lib/modules/*/modules.builtin && return
		die "the kernel has no module $name; the cloud kernels have" \
			"no 9p, use linux-image-amd64"
	fi
	case $file in
	*.xz) xz -dc "$file" ;;
	*.zst) zstd -dc "$file" ;;
	*) cat "$file" ;;
	esac >"$out/$name.ko"
	dependencies=$(tr '\0' '\n' <"$out/$name.ko" |
		sed -n 's/^depends=//p' | head -n 1)
	for dependency in ${dependencies//,/ }; do
		module_insert "$dependency" "$root" "$out"
	done
	echo "$name.ko" >>"$out/order"
}

# number_at OFFSET BYTES FILE
number_at()
{
	od -An -t"u$2" -j"$1" -N"$2" "$3" | tr -d ' '
}

# kernel_unpack VMLINUZ OUT: writes the uncompressed kernel that a bzImage
# holds. QEMU starts it directly (PVH), which saves decompressing it in the
# guest: 1 to 4 s under emulation.
kernel_unpack()
{
	local sectors offset length magic unpack

	sectors=$(number_at 497 1 "$1")
	offset=$(((sectors + 1) * 512 + $(number_at 584 4 "$1")))
	length=$(number_at 588 4 "$1")
	magic=$(od -An -tx1 -j"$offset" -N6 "$1" | tr -d ' ')
	case $magic in
	1f8b*) unpack=(gzip -dc) ;;
	fd377a585a00) unpack=(xz -dc --single-stream) ;;
	28b52ffd*) unpack=(zstd -dc) ;;
	02214c18*) unpack=(lz4 -dc) ;;
	*) return 1 ;;
	esac
	type -P "${unpack[0]}" >/dev/null || return 1
	# Four bytes follow the compressed stream, which some of these tools
	# complain about.
	{
		tail -c "+$((offset + 1))" "$1" | head -c "$length" |
			"${unpack[@]}" >"$2" 2>/dev/null
	} || :
	[[ $(head -c 4 "$2" | od -An -c | tr -d ' ') == 177ELF ]]
}

busybox_fetch()
{
	local work

	[[ ! -x $cache/busybox ]] || return 0
	work=$(mktemp -d "$cache/new.XXXXXX")
	apt_download busybox-static "$work"
	mv "$work/bin/busybox" "$cache/busybox"
	rm -r "$work"
}

# kernel_make PACKAGE FOLDER: fills FOLDER from the package.
kernel_make()
{
	local work module

	work=$(mktemp -d "$cache/new.XXXXXX")
	apt_download "$1" "$work"
	mkdir -p "$work/kernel/modules"
	if ! grep -q '^CONFIG_PVH=y' "$work"/boot/config-* ||
		! kernel_unpack "$work"/boot/vmlinuz-* \
			"$work/kernel/vmlinux"; then
		rm -f "$work/kernel/vmlinux"
		mv "$work"/boot/vmlinuz-* "$work/kernel/vmlinuz"
	fi
	mv "$work"/boot/config-* "$work/kernel/config"
	for module in "${kernel_modules[@]}"; do
		module_insert "$module" "$work" "$work/kernel/modules"
	done
	rm -rf "$2"
	mv "$work/kernel" "$2"
	rm -r "$work"
}

# A cached kernel is used without asking apt, unless $update.
kernel_fetch()
{
	local link=$cache/$kernel_package real version lock

	mkdir -p "$cache"
	exec {lock}>"$cache/.lock"
	flock "$lock"
	busybox_fetch
	if [[ ! -e $link/modules/order ]] || ((update)); then
		# linux-image-amd64 is empty and depends on the package of the
		# newest version.
		real=$(apt-cache depends "$kernel_package" 2>/dev/null |
			sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p') || :
		real=${real:-$kernel_package}
		version=$(apt-cache show --no-all-versions "$real" \
			2>/dev/null | sed -n 's/^Version: //p') || :
		[[ $version ]] ||
			die "apt knows no package $real; apt-get update" \
				"may help"
		if [[ ! -e $cache/${real}_$version/modules/order ]]; then
			kernel_make "$real" "$cache/${real}_$version"
		fi
		ln -sfn "${real}_$version" "$link"
	fi
	exec {lock}>&-
	kernel_dir=$(realpath -- "$link")
}
