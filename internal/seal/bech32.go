package seal

import "strings"

const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// bech32Encode writes data as BIP 173 says. age reads its keys in this form but exports no
// function that makes one from a seed.
func bech32Encode(prefix string, data []byte) string {
	groups := toGroups(data)
	var b strings.Builder
	b.WriteString(prefix + "1")
	for _, g := range append(groups, bech32Checksum(prefix, groups)...) {
		b.WriteByte(bech32Alphabet[g])
	}
	return b.String()
}

// toGroups regroups 8-bit bytes into 5-bit groups, padded with zero bits.
func toGroups(data []byte) []byte {
	var out []byte
	var acc uint32
	var bits uint
	for _, c := range data {
		acc, bits = acc<<8|uint32(c), bits+8
		for bits >= 5 {
			bits -= 5
			out = append(out, byte(acc>>bits)&31)
		}
	}
	if bits > 0 {
		out = append(out, byte(acc<<(5-bits))&31)
	}
	return out
}

func bech32Checksum(prefix string, groups []byte) []byte {
	var values []byte
	for _, c := range []byte(prefix) {
		values = append(values, c>>5)
	}
	values = append(values, 0)
	for _, c := range []byte(prefix) {
		values = append(values, c&31)
	}
	values = append(append(values, groups...), 0, 0, 0, 0, 0, 0)
	mod := bech32Polymod(values) ^ 1
	sum := make([]byte, 6)
	for i := range sum {
		sum[i] = byte(mod>>(5*(5-i))) & 31
	}
	return sum
}

func bech32Polymod(values []byte) uint32 {
	generator := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	chk := uint32(1)
	for _, v := range values {
		top := chk >> 25
		chk = (chk&0x1ffffff)<<5 ^ uint32(v)
		for i, g := range generator {
			if top>>i&1 == 1 {
				chk ^= g
			}
		}
	}
	return chk
}
