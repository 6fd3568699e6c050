package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"strconv"

	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"
)

func keccak(parts ...[]byte) []byte {
	state := sha3.NewLegacyKeccak256()
	for _, part := range parts {
		state.Write(part)
	}
	return state.Sum(nil)
}

// --- signatures ---

var halfOrder = []byte{
	0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
}

// signerOf recovers who signed a text as an EIP-191 personal message.
func signerOf(text string, signature []byte) ([]byte, error) {
	last := signature[64]
	if last != 27 && last != 28 {
		return nil, errors.New("the last byte is neither 27 nor 28")
	}
	if bytes.Compare(signature[32:64], halfOrder) > 0 {
		return nil, errors.New("high s")
	}
	digest := keccak([]byte("\x19Ethereum Signed Message:\n"+strconv.Itoa(len(text))), []byte(text))
	compact := append([]byte{last}, signature[:64]...)
	key, _, err := ecdsa.RecoverCompact(compact, digest)
	if err != nil {
		return nil, err
	}
	return keccak(key.SerializeUncompressed()[1:])[12:], nil
}

// --- ordered trees, docs/protocol.md §2 ---

func leafHash(blob []byte) []byte { return keccak([]byte{0}, blob) }

// rootOf follows a proof; nil where its shape is not the tree's.
func rootOf(leaf []byte, index, count uint64, proof [][]byte) []byte {
	if count == 0 || count > 1<<32 || index >= count || len(proof) != bits.Len64(count-1) {
		return nil
	}
	for level, sibling := range proof {
		if index>>level&1 == 1 {
			leaf = keccak([]byte{1}, sibling, leaf)
		} else {
			leaf = keccak([]byte{1}, leaf, sibling)
		}
	}
	return leaf
}

// --- RLP ---

var errRLP = errors.New("not RLP in its shortest spelling")

// item is a string, or a list where isList.
type item struct {
	isList bool
	text   []byte
	parts  []item
}

func decodeRLP(data []byte) (item, error) {
	found, rest, err := takeItem(data, 0)
	if err == nil && len(rest) != 0 {
		err = errRLP
	}
	return found, err
}

func takeItem(data []byte, level int) (item, []byte, error) {
	if len(data) == 0 {
		return item{}, nil, errRLP
	}
	first := data[0]
	if first < 0x80 {
		return item{text: data[:1]}, data[1:], nil
	}
	isList := first >= 0xc0
	short := int(first) - 0x80
	if isList {
		short = int(first) - 0xc0
	}
	data = data[1:]
	size := uint64(short)
	if short > 55 {
		width := short - 55
		if len(data) < width || data[0] == 0 {
			return item{}, nil, errRLP
		}
		var padded [8]byte
		copy(padded[8-width:], data[:width])
		if size = binary.BigEndian.Uint64(padded[:]); size < 56 {
			return item{}, nil, errRLP
		}
		data = data[width:]
	}
	if size > uint64(len(data)) {
		return item{}, nil, errRLP
	}
	body, rest := data[:size], data[size:]
	if !isList {
		if short == 1 && body[0] < 0x80 {
			return item{}, nil, errRLP
		}
		return item{text: body}, rest, nil
	}
	if level == 16 {
		return item{}, nil, errRLP
	}
	out := item{isList: true}
	for len(body) > 0 {
		var part item
		var err error
		if part, body, err = takeItem(body, level+1); err != nil {
			return item{}, nil, err
		}
		out.parts = append(out.parts, part)
	}
	return out, rest, nil
}

// listOf decodes data that has to be a list.
func listOf(data []byte) ([]item, error) {
	found, err := decodeRLP(data)
	if err != nil || !found.isList {
		return nil, errRLP
	}
	return found.parts, nil
}

// indexKey is the RLP of an index: the key of a block's tries.
func indexKey(index uint64) []byte {
	if index == 0 {
		return []byte{0x80}
	}
	var word [8]byte
	binary.BigEndian.PutUint64(word[:], index)
	short := bytes.TrimLeft(word[:], "\x00")
	if len(short) == 1 && short[0] < 0x80 {
		return short
	}
	return append([]byte{0x80 + byte(len(short))}, short...)
}

// --- the Merkle-Patricia trie ---

var errTrie = errors.New("the proof does not lead from the root to a value at the index")

func nibblesOf(data []byte) []byte {
	out := make([]byte, 0, 2*len(data))
	for _, b := range data {
		out = append(out, b>>4, b&15)
	}
	return out
}

// trieValue is what a proof shows at an index.
func trieValue(root []byte, index uint64, proof [][]byte) ([]byte, error) {
	path := nibblesOf(indexKey(index))
	at := item{text: root}
	for {
		if !at.isList {
			if len(proof) == 0 || !bytes.Equal(keccak(proof[0]), at.text) {
				return nil, errTrie
			}
			parts, err := listOf(proof[0])
			if err != nil {
				return nil, err
			}
			at, proof = item{isList: true, parts: parts}, proof[1:]
		}
		switch len(at.parts) {
		case 17:
			if len(path) == 0 {
				return nil, errTrie
			}
			at, path = at.parts[path[0]], path[1:]
		case 2:
			own := nibblesOf(at.parts[0].text)
			if at.parts[0].isList || len(own) == 0 || own[0] > 3 || own[0]&1 == 0 && own[1] != 0 {
				return nil, errTrie
			}
			isLeaf := own[0] >= 2
			own = own[2-own[0]&1:]
			if !bytes.HasPrefix(path, own) {
				return nil, errTrie
			}
			path = path[len(own):]
			at = at.parts[1]
			if isLeaf {
				if len(path) != 0 || len(proof) != 0 || at.isList {
					return nil, errTrie
				}
				return at.text, nil
			}
		default:
			return nil, errTrie
		}
	}
}
