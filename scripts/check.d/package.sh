# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
#
# package.sh - gates about what a distribution would ship: DKMS, the sample of module options

gate_dkms_6_1() { dkms_for 6.1; }
gate_dkms_6_12() { dkms_for 6.12; }

dkms_for() {
	local version from
	version=$(cat VERSION)
	from=$scratch/src/zpipe-$version
	can_be_root || skip "DKMS works for root only"
	eval "$(scripts/kernels "$1")"
	mkdir -p "$from" "$scratch/dkms"
	sources Kbuild VERSION dkms.conf 'module/*' 'uapi/*' | cpio --quiet -pdm "$from"
	local dkms=(as_root dkms --dkmstree "$scratch/dkms" --sourcetree "$scratch/src"
		--kernelsourcedir "$KDIR" -m zpipe -v "$version" -k "$KREL")
	"${dkms[@]}" add
	"${dkms[@]}" build || { cat "$scratch"/dkms/zpipe/"$version"/build/make.log; exit 1; }
	find "$scratch/dkms" -name 'zpipe.ko*' | grep . || fail "DKMS has built no module"
	"${dkms[@]}" remove
	as_root chown -R "$EUID" "$scratch"
}

# parameters_of_source: name and default of every parameter, evaluated.
parameters_of_source() {
	local name variable value
	sed -nE 's/^module_param_named\(([a-z_]+), ([a-z_]+),.*/\1 \2/p; s/^module_param\(([a-z_]+),.*/\1 \1/p' \
		module/*.c | while read -r name variable; do
		value=$(sed -nE "s/^(static )?[a-z ]+ $variable = ([^;]+);/\2/p" module/*.c)
		case $value in
		'') value=0 ;;
		true) value=Y ;;
		false) value=N ;;
		*) value=$((${value//U[L]/})) ;;
		esac
		echo "$name $value"
	done | sort
}

gate_parameters() {
	local sample=packaging/modprobe.d-zpipe.conf
	parameters_of_source >"$scratch/source"
	[[ -s $scratch/source ]] || fail "no parameter was found"
	diff <(cut -d' ' -f1 "$scratch/source") \
		<(scripts/build-module 6.12 >&2; modinfo -F parm build/module-6.12/zpipe.ko | cut -d: -f1 | sort) ||
		fail "the parameters of the source (<) are not those of the module (>)"
	sed -nE 's/^# ?options zpipe ([a-z_]+)=(.*)/\1 \2/p' "$sample" | sort >"$scratch/sample"
	diff "$scratch/source" "$scratch/sample" || fail "the source (<) and $sample (>) differ"
	! grep -nE '^[^#]' "$sample" || fail "$sample changes something"
}
