package main

import (
	"encoding/binary"
	"errors"
	"math"
)

func topicOf(signature string) string { return string(keccak([]byte(signature))) }

var (
	runProposed = topicOf("RunProposed(uint32,address,uint40,(uint32,uint32,bytes32,uint32,bytes32,bytes32," +
		"(uint16,uint32,int64,bytes32)[],(uint32,uint16,uint48,bytes24)[]))")
	runActivated     = topicOf("RunActivated(uint32)")
	billSuperseded   = topicOf("BillSuperseded(uint64,uint32)")
	billPaid         = topicOf("BillPaid(uint64,address,bytes32,bytes,uint8)")
	grantApplied     = topicOf("GrantApplied(uint32,uint32,uint64,uint8,uint16,uint48,uint8)")
	prepaymentNetted = topicOf("PrepaymentNetted(bytes32,uint64,uint8,uint16,uint48)")
	creditApplied    = topicOf("CreditApplied(uint64,uint64,uint8,uint48)")
	refunded         = topicOf("Refunded(uint64,uint64,uint8,uint16,address,uint48,address,uint48)")
	billStateChanged = topicOf("BillStateChanged(uint64,uint8)")
)

// shape of an event: which topic names the bill or the run, how many topics and words of data there are.
type shape struct{ named, topics, words int }

var ofChargeBook = map[string]shape{
	runProposed:    {1, 3, 2},
	runActivated:   {1, 2, 0},
	billSuperseded: {1, 3, 0},
}

var ofSettlement = map[string]shape{
	billPaid:         {1, 4, 2},
	grantApplied:     {3, 4, 4},
	prepaymentNetted: {2, 3, 3},
	creditApplied:    {2, 3, 2},
	refunded:         {2, 4, 5},
	billStateChanged: {1, 2, 1},
}

const (
	stateOpen = iota
	statePartial
	statePaid
	stateSuperseded
)

var stateNames = []string{"open", "partial", "paid", "superseded"}

// Moved is what moved on a line, in kopecks, and to whom.
type Moved struct {
	Paid       uint64 `json:"paid_kopecks"`
	Granted    uint64 `json:"granted_kopecks"`
	Netted     uint64 `json:"netted_kopecks"`
	WrittenOff uint64 `json:"written_off_kopecks"`
	Refunded   uint64 `json:"refunded_kopecks"`
	suppliers  map[uint64]bool
}

// Story is a bill's events in the order of the chain.
type Story struct {
	isProposed, isActive bool
	period, count        uint64
	root                 []byte
	state                int
	moved                map[uint64]*Moved
}

var errLog = errors.New("a log is not as its event fixes")

// words reads 32-byte words; anything past the end, or too large, makes isBad true.
type words struct {
	data  []byte
	isBad bool
}

func (w *words) bytes(at uint64) []byte {
	if at > uint64(len(w.data)) || uint64(len(w.data))-at < 32 {
		w.isBad = true
		return make([]byte, 32)
	}
	return w.data[at : at+32]
}

func (w *words) uint(at uint64) uint64 {
	word := w.bytes(at)
	for _, b := range word[:24] {
		if b != 0 {
			w.isBad = true
		}
	}
	value := binary.BigEndian.Uint64(word[24:])
	if value > math.MaxInt64 {
		w.isBad = true
		return 0
	}
	return value
}

func (s *Story) line(line, supplier uint64, named bool) *Moved {
	found := s.moved[line]
	if found == nil {
		found = &Moved{suppliers: map[uint64]bool{}}
		s.moved[line] = found
	}
	if named {
		found.suppliers[supplier] = true
	}
	return found
}

func (s *Story) reach(state uint64, w *words) {
	if state > stateSuperseded {
		w.isBad = true
		return
	}
	s.state = max(s.state, int(state))
}

// tell reads all logs of the bill in a receipt, and says whether there were any.
func (s *Story) tell(receipt []byte, capsule *Capsule, trust *Trust) (bool, error) {
	if len(receipt) > 0 && receipt[0] < 0x80 {
		receipt = receipt[1:]
	}
	fields, err := listOf(receipt)
	if err != nil || len(fields) != 4 || !fields[3].isList {
		return false, errLog
	}
	key := uint64(capsule.run)<<32 | uint64(capsule.index)
	isTold := false
	for _, log := range fields[3].parts {
		if len(log.parts) != 3 || log.parts[0].isList || !log.parts[1].isList || log.parts[2].isList {
			return false, errLog
		}
		topics := log.parts[1].parts
		if len(topics) == 0 || topics[0].isList {
			continue
		}
		topic := string(topics[0].text)
		var known shape
		var isOurs bool
		switch string(log.parts[0].text) {
		case trust.chargeBook:
			known, isOurs = ofChargeBook[topic]
		case trust.settlement:
			known, isOurs = ofSettlement[topic]
		}
		if !isOurs {
			continue
		}
		if len(topics) != known.topics || len(log.parts[2].text) < 32*known.words {
			return false, errLog
		}
		named := words{data: topics[known.named].text}
		wanted := key
		if topic == runProposed || topic == runActivated {
			wanted = uint64(capsule.run)
		}
		if found := named.uint(0); named.isBad || found != wanted {
			continue
		}
		isTold = true
		if err := s.take(topic, topics, log.parts[2].text); err != nil {
			return false, err
		}
	}
	return isTold, nil
}

func (s *Story) take(topic string, topics []item, data []byte) error {
	w := &words{data: data}
	if (topic == runProposed) == s.isProposed {
		return errors.New("a run is proposed once, and before all else")
	}
	switch topic {
	case runProposed:
		start := w.uint(32)
		s.isProposed = true
		s.period, s.count, s.root = w.uint(start), w.uint(start+32), w.bytes(start+64)
	case runActivated:
		s.isActive = true
	case billSuperseded:
		s.state = stateSuperseded
	case billPaid:
		start := w.uint(0)
		size := w.uint(start)
		if w.isBad || size%8 != 0 || size > uint64(len(data)) || start+32+size > uint64(len(data)) {
			return errLog
		}
		legs := data[start+32 : start+32+size]
		for line := uint64(0); line < size/8; line++ {
			packed := binary.BigEndian.Uint64(legs[8*line:])
			if amount := packed & (1<<48 - 1); amount != 0 {
				s.line(line, packed>>48, true).Paid += amount
			}
		}
		s.reach(w.uint(32), w)
	case grantApplied:
		s.line(w.uint(0), w.uint(32), true).Granted += w.uint(64)
		s.reach(w.uint(96), w)
	case prepaymentNetted:
		s.line(w.uint(0), w.uint(32), true).Netted += w.uint(64)
	case creditApplied:
		s.line(w.uint(0), 0, false).WrittenOff += w.uint(32)
	case refunded:
		supplier := words{data: topics[3].text}
		s.line(w.uint(0), supplier.uint(0), true).Refunded += w.uint(64) + w.uint(128)
	case billStateChanged:
		s.reach(w.uint(0), w)
	}
	if w.isBad {
		return errLog
	}
	return nil
}
