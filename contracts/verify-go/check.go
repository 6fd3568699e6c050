package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Line is a line of a proven bill.
type Line struct {
	Supplier uint64 `json:"supplier"`
	Charged  uint64 `json:"charged_kopecks"`
	Moved
}

// Verdict is what stands proven.
type Verdict struct {
	Bill      string   `json:"bill"`
	Kind      int      `json:"kind"`
	Period    uint64   `json:"period"`
	State     string   `json:"state"`
	Lines     []Line   `json:"lines"`
	Height    uint64   `json:"height"`
	Observers []string `json:"observers"`
}

func verify(data []byte, trust *Trust) (*Verdict, error) {
	capsule, err := parseCapsule(data)
	if err != nil {
		return nil, err
	}
	observers, err := checkCheckpoint(capsule, trust)
	if err != nil {
		return nil, err
	}
	roots, err := checkBlocks(capsule)
	if err != nil {
		return nil, err
	}
	receipts, err := checkReceipts(capsule, roots)
	if err != nil {
		return nil, err
	}
	story := &Story{moved: map[uint64]*Moved{}}
	for i, receipt := range receipts {
		isTold, err := story.tell(receipt, capsule, trust)
		if err == nil && !isTold {
			err = fmt.Errorf("it says nothing of the bill")
		}
		if err != nil {
			return nil, refuse("bad-event", "receipt %d of the capsule: %v", i, err)
		}
	}
	if !story.isProposed {
		return nil, refuse("bad-event", "no receipts")
	}
	bill, err := checkBill(capsule, story)
	if err != nil {
		return nil, err
	}
	lines, err := bill.checkMoney(story)
	if err != nil {
		return nil, err
	}
	if capsule.isOpen && !bytes.Equal(keccak(capsule.billID, capsule.salt, keccak(capsule.document)), bill.commit) {
		return nil, refuse("wrong-document", "the document is not the one that the bill commits to")
	}
	name := fmt.Sprintf("%d-%d", capsule.run, capsule.index)
	height := capsule.checkpoint.height
	return &Verdict{name, bill.kind, story.period, stateNames[story.state], lines, height, observers}, nil
}

func checkCheckpoint(capsule *Capsule, trust *Trust) ([]string, error) {
	point := &capsule.checkpoint
	if point.chainID != trust.chainID {
		return nil, refuse("wrong-chain", "the capsule is of chain %d, not %d", point.chainID, trust.chainID)
	}
	if string(point.settlement) != trust.settlement {
		return nil, refuse("wrong-contract", "its Settlement is 0x%x", point.settlement)
	}
	signed := map[string]bool{}
	var observers []string
	for _, cosignature := range capsule.cosignatures {
		signer, err := signerOf(point.text, cosignature.signature)
		if err != nil || !bytes.Equal(signer, cosignature.observer) {
			return nil, refuse("bad-cosignature", "the one under 0x%x is not that observer's", cosignature.observer)
		}
		if _, isTrusted := trust.observers[string(signer)]; isTrusted {
			signed[string(signer)] = true
			observers = append(observers, "0x"+hex.EncodeToString(signer))
		}
	}
	for observer, isRequired := range trust.observers {
		if isRequired && !signed[observer] {
			return nil, refuse("missing-cosignature", "0x%x must have signed, and has not", observer)
		}
	}
	if len(signed) < trust.quorum {
		return nil, refuse("quorum-not-met", "%d trusted observers signed, %d are asked for", len(signed), trust.quorum)
	}
	if known, isKnown := trust.known[point.height]; isKnown && known != string(point.block) {
		return nil, refuse("split-view", "block %d is known as 0x%x, 0x%x was signed", point.height, known, point.block)
	}
	if point.height < trust.leastHeight {
		return nil, refuse("rollback", "its checkpoint is of height %d, %d is known", point.height, trust.leastHeight)
	}
	return observers, nil
}

// checkBlocks gives the receiptsRoot of each block.
func checkBlocks(capsule *Capsule) ([][]byte, error) {
	point := &capsule.checkpoint
	var roots [][]byte
	var before uint64
	for i, block := range capsule.blocks {
		fields, err := listOf(block.header)
		if err != nil || len(fields) < 15 || fields[5].isList || fields[8].isList || fields[11].isList ||
			len(fields[5].text) != 32 || len(fields[8].text) > 8 || len(fields[11].text) > 8 {
			return nil, refuse("bad-block", "block %d of the capsule has no header", i)
		}
		var word [8]byte
		copy(word[8-len(fields[8].text):], fields[8].text)
		number := binary.BigEndian.Uint64(word[:])
		leaf := leafHash(append(word[:], keccak(block.header)...))
		if !bytes.Equal(rootOf(leaf, block.index, point.blocks, block.proof), point.blocksRoot) || number > point.height {
			return nil, refuse("bad-block", "block %d is not among those of the checkpoint", number)
		}
		if i > 0 && number <= before {
			return nil, refuse("bad-block", "the blocks do not ascend")
		}
		before = number
		roots = append(roots, fields[5].text)
	}
	return roots, nil
}

func checkReceipts(capsule *Capsule, roots [][]byte) ([][]byte, error) {
	var out [][]byte
	used := map[uint64]bool{}
	for i, receipt := range capsule.receipts {
		if receipt.block >= uint64(len(roots)) {
			return nil, refuse("bad-receipt", "receipt %d names no block of the capsule", i)
		}
		if i > 0 {
			last := capsule.receipts[i-1]
			if receipt.block < last.block || receipt.block == last.block && receipt.index <= last.index {
				return nil, refuse("bad-receipt", "the receipts do not ascend")
			}
		}
		value, err := trieValue(roots[receipt.block], receipt.index, receipt.proof)
		if err != nil {
			return nil, refuse("bad-receipt", "receipt %d of the capsule: %v", i, err)
		}
		used[receipt.block] = true
		out = append(out, value)
	}
	if len(used) != len(roots) {
		return nil, refuse("bad-receipt", "a block is there for nothing")
	}
	return out, nil
}

// Bill is a bill's blob taken apart.
type Bill struct {
	commit []byte
	kind   int
	lines  []Line
}

func decodeBill(blob []byte) *Bill {
	if len(blob) < 34 || blob[32] > 2 || blob[33] < 1 || blob[33] > 32 {
		return nil
	}
	bill := &Bill{commit: blob[:32], kind: int(blob[32])}
	tail := 34 + 8*int(blob[33])
	if len(blob) < tail {
		return nil
	}
	for at := 34; at < tail; at += 8 {
		packed := binary.BigEndian.Uint64(blob[at:])
		bill.lines = append(bill.lines, Line{Supplier: packed >> 48, Charged: packed & (1<<48 - 1)})
	}
	rest := len(blob) - tail
	if bill.kind == 0 && rest%39 != 0 || bill.kind != 0 && rest != 8 {
		return nil
	}
	return bill
}

func checkBill(capsule *Capsule, story *Story) (*Bill, error) {
	bill := decodeBill(capsule.blob)
	root := rootOf(leafHash(capsule.blob), uint64(capsule.index), story.count, capsule.proof)
	if bill == nil || root == nil || !bytes.Equal(root, story.root) {
		return nil, refuse("wrong-root", "the bill does not stand in the run as it was proposed")
	}
	if !story.isActive {
		return nil, refuse("not-active", "the capsule does not show that run %d was activated", capsule.run)
	}
	return bill, nil
}

const creditNote = 2

func (bill *Bill) checkMoney(story *Story) ([]Line, error) {
	for line := range story.moved {
		if line >= uint64(len(bill.lines)) {
			return nil, refuse("bad-money", "money moved on line %d", line)
		}
	}
	open := uint64(0)
	for i := range bill.lines {
		line := &bill.lines[i]
		moved := story.moved[uint64(i)]
		if moved == nil {
			open += line.Charged
			continue
		}
		for supplier := range moved.suppliers {
			if supplier != line.Supplier {
				return nil, refuse("bad-money", "line %d is of supplier %d, and %d got money", i, line.Supplier, supplier)
			}
		}
		received := moved.Paid + moved.Granted + moved.Netted
		if received+moved.WrittenOff > line.Charged || moved.Refunded > received {
			return nil, refuse("bad-money", "more moved on line %d than it says", i)
		}
		line.Moved = *moved
		open += line.Charged - received - moved.WrittenOff
	}
	if story.state == statePaid && bill.kind != creditNote && open != 0 {
		return nil, refuse("bad-money", "the bill is paid, and %d kopecks of it are left out", open)
	}
	return bill.lines, nil
}
