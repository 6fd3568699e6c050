package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

const maxBytes = 16 << 20

// Refusal is why a capsule is refused: the word of docs/protocol.md §12, and what was found.
type Refusal struct{ Word, Detail string }

func (r *Refusal) Error() string { return r.Word + ": " + r.Detail }

func refuse(word, format string, a ...any) *Refusal {
	return &Refusal{word, fmt.Sprintf(format, a...)}
}

// The fields of every struct stand in the order of their names, so that encoding one again gives canonical JSON.

type billPart struct {
	Blob  string   `json:"blob"`
	Index uint32   `json:"index"`
	Proof []string `json:"proof"`
	Run   uint32   `json:"run"`
}

type blockPart struct {
	Header string   `json:"header"`
	Index  uint32   `json:"index"`
	Proof  []string `json:"proof"`
}

type cosignaturePart struct {
	Observer  string `json:"observer"`
	Signature string `json:"signature"`
}

type checkpointPart struct {
	Cosignatures []cosignaturePart `json:"cosignatures"`
	Text         string            `json:"text"`
}

type openingPart struct {
	BillID   string `json:"bill_id"`
	Document string `json:"document"`
	Salt     string `json:"salt"`
}

type receiptPart struct {
	Block uint32   `json:"block"`
	Index uint32   `json:"index"`
	Proof []string `json:"proof"`
}

type capsuleFile struct {
	Bill       billPart       `json:"bill"`
	Blocks     []blockPart    `json:"blocks"`
	Capsule    int            `json:"capsule"`
	Checkpoint checkpointPart `json:"checkpoint"`
	Opening    *openingPart   `json:"opening"`
	Receipts   []receiptPart  `json:"receipts"`
}

type trustFile struct {
	ChainID    uint64 `json:"chain_id"`
	ChargeBook string `json:"charge_book"`
	Known      []struct {
		Block  string `json:"block"`
		Height uint64 `json:"height"`
	} `json:"known"`
	LeastHeight uint64 `json:"least_height"`
	Observers   []struct {
		Address  string `json:"address"`
		Required bool   `json:"required"`
	} `json:"observers"`
	Quorum     int    `json:"quorum"`
	Settlement string `json:"settlement"`
}

// Block is a header as it is hashed, with its place in the tree of blocks.
type Block struct {
	header []byte
	index  uint64
	proof  [][]byte
}

// Receipt names a block of the capsule and a transaction in it.
type Receipt struct {
	block, index uint64
	proof        [][]byte
}

// Cosignature is an observer's.
type Cosignature struct{ observer, signature []byte }

// Checkpoint is the text that observers sign, taken apart.
type Checkpoint struct {
	text       string
	chainID    uint64
	settlement []byte
	height     uint64
	block      []byte
	blocks     uint64
	blocksRoot []byte
}

// Capsule is a file that was read.
type Capsule struct {
	run, index             uint32
	blob                   []byte
	proof                  [][]byte
	isOpen                 bool
	billID, salt, document []byte
	blocks                 []Block
	receipts               []Receipt
	checkpoint             Checkpoint
	cosignatures           []Cosignature
}

// Trust is whom the reader believes.
type Trust struct {
	chainID, leastHeight   uint64
	settlement, chargeBook string
	observers              map[string]bool // address, and whether it must have signed
	quorum                 int
	known                  map[uint64]string
}

// hexReader reads many hex fields and keeps the first fault.
type hexReader struct{ err error }

func (r *hexReader) bytes(text string, size int) []byte {
	if r.err != nil {
		return nil
	}
	body, has := strings.CutPrefix(text, "0x")
	data, err := hex.DecodeString(body)
	if !has || err != nil || body != hex.EncodeToString(data) || size >= 0 && len(data) != size {
		r.err = fmt.Errorf("not hex of the right size: %.20q", text)
		return nil
	}
	return data
}

func (r *hexReader) list(texts []string, size int) [][]byte {
	if texts == nil && r.err == nil {
		r.err = fmt.Errorf("a list is missing")
	}
	out := make([][]byte, len(texts))
	for i, text := range texts {
		out[i] = r.bytes(text, size)
	}
	return out
}

func parseCapsule(data []byte) (*Capsule, error) {
	if len(data) > maxBytes {
		return nil, refuse("malformed", "%d bytes are too many", len(data))
	}
	var file capsuleFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, refuse("malformed", "%v", err)
	}
	again, err := json.Marshal(file)
	if err != nil || !bytes.Equal(again, data) {
		return nil, refuse("malformed", "not the one spelling of a capsule")
	}
	if file.Capsule != 1 || file.Blocks == nil || file.Receipts == nil || file.Checkpoint.Cosignatures == nil {
		return nil, refuse("malformed", "another version, or a list is missing")
	}
	var in hexReader
	capsule := &Capsule{run: file.Bill.Run, index: file.Bill.Index}
	capsule.blob = in.bytes(file.Bill.Blob, -1)
	capsule.proof = in.list(file.Bill.Proof, 32)
	if file.Opening != nil {
		capsule.isOpen = true
		capsule.billID = in.bytes(file.Opening.BillID, 32)
		capsule.salt = in.bytes(file.Opening.Salt, 32)
		capsule.document = in.bytes(file.Opening.Document, -1)
	}
	for _, part := range file.Blocks {
		capsule.blocks = append(capsule.blocks,
			Block{in.bytes(part.Header, -1), uint64(part.Index), in.list(part.Proof, 32)})
	}
	for _, part := range file.Receipts {
		capsule.receipts = append(capsule.receipts,
			Receipt{uint64(part.Block), uint64(part.Index), in.list(part.Proof, -1)})
	}
	for _, part := range file.Checkpoint.Cosignatures {
		signed := Cosignature{in.bytes(part.Observer, 20), in.bytes(part.Signature, 65)}
		if n := len(capsule.cosignatures); n > 0 && bytes.Compare(capsule.cosignatures[n-1].observer, signed.observer) >= 0 {
			return nil, refuse("malformed", "cosignatures do not ascend")
		}
		capsule.cosignatures = append(capsule.cosignatures, signed)
	}
	if in.err != nil {
		return nil, refuse("malformed", "%v", in.err)
	}
	if capsule.checkpoint, err = parseCheckpoint(file.Checkpoint.Text); err != nil {
		return nil, refuse("malformed", "%v", err)
	}
	return capsule, nil
}

var checkpointText = regexp.MustCompile(`\Akopeck checkpoint v1\n` +
	`chain (0|[1-9][0-9]{0,18})\n` +
	`settlement (0x[0-9a-f]{40})\n` +
	`height (0|[1-9][0-9]{0,18})\n` +
	`block (0x[0-9a-f]{64})\n` +
	`blocks ([1-9][0-9]{0,9}) (0x[0-9a-f]{64})\n` +
	`ledger 0x[0-9a-f]{64}\n\z`)

func parseCheckpoint(text string) (Checkpoint, error) {
	found := checkpointText.FindStringSubmatch(text)
	if found == nil {
		return Checkpoint{}, fmt.Errorf("not a checkpoint")
	}
	var in hexReader
	chain, err1 := strconv.ParseUint(found[1], 10, 64)
	height, err2 := strconv.ParseUint(found[3], 10, 64)
	blocks, err3 := strconv.ParseUint(found[5], 10, 64)
	out := Checkpoint{text, chain, in.bytes(found[2], 20), height, in.bytes(found[4], 32), blocks, in.bytes(found[6], 32)}
	for _, err := range []error{err1, err2, err3, in.err} {
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func readTrust(path string) (*Trust, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var file trustFile
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("%s is not a trust file: %w", path, err)
	}
	var in hexReader
	trust := &Trust{
		chainID:     file.ChainID,
		leastHeight: file.LeastHeight,
		settlement:  string(in.bytes(file.Settlement, 20)),
		chargeBook:  string(in.bytes(file.ChargeBook, 20)),
		observers:   map[string]bool{},
		quorum:      file.Quorum,
		known:       map[uint64]string{},
	}
	for _, row := range file.Observers {
		trust.observers[string(in.bytes(row.Address, 20))] = row.Required
	}
	for _, row := range file.Known {
		trust.known[row.Height] = string(in.bytes(row.Block, 32))
	}
	if in.err != nil {
		return nil, fmt.Errorf("%s is not a trust file: %w", path, in.err)
	}
	if trust.quorum < 1 || trust.quorum > len(trust.observers) {
		return nil, fmt.Errorf("%s: a quorum of %d among %d observers proves nothing", path, trust.quorum, len(trust.observers))
	}
	return trust, nil
}
