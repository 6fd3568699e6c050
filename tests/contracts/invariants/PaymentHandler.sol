// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ISettlement} from "../../../contracts/src/interfaces/ISettlement.sol";
import {
    BillKey, BillState, GrantClaim, Leg, ProvenBill, SplitAuthorization
} from "../../../contracts/src/types/Types.sol";
import {Blobs} from "../base/Blobs.sol";
import {MoneyHandler} from "./MoneyHandler.sol";

/// @title Payments, grants, refunds, prepayments and thefts, in any order
contract PaymentHandler is MoneyHandler {
    // --- pay, payOrder, payOrders ---

    function pay(uint256 seed, uint256 who, uint256 maximum) external {
        ++calls;
        (uint256 bill, address from) = (_payablePick(seed), payers[who % 3]);
        maximum = _maximum(bill, maximum);
        bool closed = bills[bill].state >= BillState.Paid;
        _topUp(from, maximum < 50_000 ? maximum : 50_000);
        ProvenBill memory proof = _proven(bill);
        vm.recordLogs();
        vm.prank(from);
        try settlement.pay(proof, maximum) returns (uint256 total) {
            _break(closed, "a closed bill was paid");
            _took(bill, from, maximum, total);
            hit(bills[bill].state == BillState.Paid ? Path.PaidWhole : Path.PaidPart);
        } catch (bytes memory reason) {
            bytes4 why = bytes4(reason);
            _break(
                why != (closed
                        ? ISettlement.Settlement_BillClosed.selector
                        : ISettlement.Settlement_NothingToPay.selector),
                "a payment was refused for another reason"
            );
            _break(!closed && maximum != 0 && _payableAfterNetting(bill) != 0, "a good payment was refused");
            _discard();
            hit(Path.PayRefused);
        }
    }

    function payOrder(uint256 seed, uint256 who, uint256 maximum) external {
        ++calls;
        (uint256 bill, address from) = (_payablePick(seed), payers[who % 3]);
        maximum = _maximum(bill, maximum);
        _topUp(from, maximum < 50_000 ? maximum : 50_000);
        bool closed = bills[bill].state >= BillState.Paid;
        SplitAuthorization memory auth = order(from, bills[bill].run, bills[bill].index, maximum, ++counter);
        (lastOrder, lastOrderBill) = (auth, bill);
        ProvenBill memory proof = _proven(bill);
        vm.recordLogs();
        vm.prank(stranger);
        uint256 total = settlement.payOrder(proof, auth);
        _took(bill, from, maximum, total);
        _break(closed && total != 0, "a closed bill was paid by an order");
        hit(total == 0 ? Path.OrderSkipped : Path.Ordered);
    }

    /// @dev Three orders of one payer, two of them for one bill.
    function payOrders(uint256 seed, uint256 who) external {
        ++calls;
        address from = payers[who % 3];
        uint256[3] memory picked = [_payablePick(seed), _payablePick(seed), _payablePick(who)];
        SplitAuthorization[] memory orders = new SplitAuthorization[](3);
        ProvenBill[] memory proofs = new ProvenBill[](3);
        for (uint256 i = 0; i < 3; ++i) {
            Known memory k = bills[picked[i]];
            orders[i] = order(from, k.run, k.index, 1 + (seed >> i) % 9000, ++counter);
            proofs[i] = _proven(picked[i]);
        }
        _topUp(from, 30_000);
        uint256 before = rouble.balanceOf(from);
        vm.recordLogs();
        settlement.payOrders(proofs, orders);
        _break(_book(from) != before - rouble.balanceOf(from), "receipts are not what the payer paid");
        hit(Path.ManyOrders);
    }

    // --- payBatch ---

    function payBatch(uint256 seed, uint256 who, uint256 maxima) external {
        ++calls;
        address from = who % 2 == 0 ? agent : otherAgent;
        uint32 run = billRuns[seed % billRuns.length];
        uint32[] memory indices = _subset(run, seed >> 32);
        (BatchBill[] memory list, bytes32[] memory multiproof) = batchOf(run, indices);
        for (uint256 i = 0; i < list.length; ++i) {
            if ((maxima >> (16 * i)) % 2 == 0) list[i].maximum = uint48((maxima >> (16 * i)) % 10_000);
        }
        bytes32 ref = bytes32(++counter);
        bytes memory call = abi.encodeCall(settlement.payBatch, (ref, run, list.length, packed(list), multiproof));
        _topUp(from, 200_000);
        uint256 before = rouble.balanceOf(from);
        vm.recordLogs();
        vm.prank(from);
        uint256 total = settlement.payBatch(ref, run, list.length, packed(list), multiproof);
        _break(_book(from) != total, "receipts are not what the batch paid");
        _break(total != before - rouble.balanceOf(from), "the batch paid other than it says");
        for (uint256 i = 0; i < list.length; ++i) {
            uint256 bill = placeOf[rawKey(run, indices[i])] - 1;
            bool all = list[i].maximum == type(uint48).max;
            _break(all && bills[bill].state < BillState.Paid && _payableOpen(bill) != 0, "a batch left money open");
        }
        sent.push(Sent(from, ref, call));
        hit(Path.Batched);
    }

    /// @dev Again by its agent: nothing. With other content: refused.
    function repeatBatch(uint256 seed) external {
        ++calls;
        if (sent.length == 0) return;
        Sent memory old = sent[seed % sent.length];
        vm.recordLogs();
        vm.prank(old.agent);
        (bool success, bytes memory result) = address(settlement).call(old.call);
        _break(!success || abi.decode(result, (uint256)) != 0, "a repeated batch did something");
        _break(_book(old.agent) != 0, "a repeated batch paid");
        hit(Path.BatchRepeated);
        (BatchBill[] memory list, bytes32[] memory multiproof) = batchOf(billRuns[0], _indices(0));
        list[0].maximum = uint48(10_000 + counter++); // none that payBatch draws: the same bills would be a repeat
        vm.prank(old.agent);
        try settlement.payBatch(old.ref, billRuns[0], 1, packed(list), multiproof) {
            _break(true, "a reference was used for other content");
        } catch {
            hit(Path.BatchRefused);
        }
    }

    // --- grants ---

    function postGrant(uint256 seed, uint256 maximum) external {
        ++calls;
        if (grants.length >= 60) return;
        uint256 bill = _payablePick(seed);
        address wallet = seed % 4 == 0 ? otherWelfare : welfare;
        uint8 line = uint8((seed >> 32) % lines[bill].length);
        maximum = bound(maximum, 1, 3000);
        uint64 total = uint64(maximum < 10 || seed % 5 != 0 ? maximum : maximum / 2);
        uint40 expiresAt = uint40(vm.getBlockTimestamp() + 1 + (seed >> 64) % 30 days);
        bytes memory blob = Blobs.grant(
            _commit(), rawKey(bills[bill].run, bills[bill].index), line, uint48(maximum), expiresAt
        );
        uint32 batch = postGrants(wallet, _blobs(blob), total);
        grants.push(Grant(batch, bill, line, uint48(maximum), expiresAt, wallet, 0, false, false));
        grantPlace[batch] = grants.length;
        batchTotal[batch] = total;
        hit(Path.GrantPosted);
    }

    function applyGrant(uint256 seed) external {
        ++calls;
        if (grants.length == 0) return;
        Grant memory g = grants[seed % grants.length];
        for (uint256 i = 1; i < 6 && g.over; ++i) {
            g = grants[(seed % grants.length + i) % grants.length];
        }
        Known memory k = bills[g.bill];
        bool dead = g.over || g.batchReversed || vm.getBlockTimestamp() >= g.expiresAt;
        GrantClaim[] memory list = claims(g.batch, k.run, k.index);
        _topUp(g.wallet, 10_000);
        vm.recordLogs();
        vm.prank(stranger);
        try settlement.applyGrants(list) {
            _break(dead, "a dead grant was applied");
            _book(address(0));
            hit(grants[grantPlace[g.batch] - 1].used != 0 ? Path.GrantApplied : Path.GrantSkipped);
        } catch {
            _break(!dead, "a living grant was refused");
            _discard();
            hit(Path.GrantRefused);
        }
    }

    function reverseGrant(uint256 seed) external {
        ++calls;
        if (grants.length == 0 || seed % 3 != 0) return;
        Grant storage g = grants[seed % grants.length];
        if (g.batchReversed) return;
        vm.startPrank(g.wallet);
        if (seed % 2 == 0 && !g.over) {
            subsidies.reverseGrant(g.batch, 0, keccak256("act"));
            g.over = true;
        } else {
            subsidies.reverseBatch(g.batch, keccak256("act"));
            g.batchReversed = true;
        }
        vm.stopPrank();
        hit(Path.GrantReversed);
    }

    // --- credits ---

    function refund(uint256 seed) external {
        ++calls;
        if (notes.length == 0) return;
        uint256 note = notes[seed % notes.length];
        uint256 bill = bills[note].corrects - 1;
        uint8 line = uint8((seed >> 32) % lines[note].length);
        Line memory before = lines[bill][line];
        (uint256 writtenOff, uint256 toPayer, uint256 toWelfare) = _creditOf(lines[note][line].charge, before);
        address wallet = payoutNow[before.supplier];
        address recipient = actor("recipient");
        if (wallet != address(0) && !frozen[wallet]) _topUp(wallet, toPayer + toWelfare);
        SplitAuthorization memory auth;
        if (wallet != address(0)) {
            auth = refundOrder(wallet, bills[note].run, 0, line, recipient, toPayer + toWelfare, ++counter);
        }
        (ProvenBill memory n, ProvenBill memory b) = (_proven(note), _proven(bill));
        vm.recordLogs();
        vm.prank(stranger);
        try settlement.refund(n, b, line, recipient, before.granter, auth) {
            _book(address(0));
            _break(_creditDone[note][line], "a line of a note was carried out twice");
            _creditDone[note][line] = true;
            Line memory now_ = lines[bill][line];
            _break(now_.writtenOff - before.writtenOff != writtenOff, "another sum was written off");
            _break(now_.refunded - before.refunded != toPayer + toWelfare, "another sum was refunded");
            _break(now_.refunded > now_.paid + now_.granted + now_.netted, "more was refunded than moved");
            hit(toPayer + toWelfare != 0 ? Path.Refunded : Path.WrittenOff);
        } catch {
            bool good = !_creditDone[note][line] && lines[note][line].charge != 0
                && bills[bill].state != BillState.Superseded && bills[note].state != BillState.Superseded
                && !(toPayer + toWelfare != 0 && (frozen[wallet] || wallet == address(0)));
            _break(good, "a good refund was refused");
            _discard();
            hit(Path.RefundRefused);
        }
    }

    mapping(uint256 note => mapping(uint8 line => bool)) private _creditDone;

    /// @dev docs/protocol.md §7, from the ghost's own figures.
    function _creditOf(uint256 credit, Line memory l)
        private
        pure
        returns (uint256 writtenOff, uint256 toPayer, uint256 toWelfare)
    {
        uint256 open = _open(l);
        writtenOff = credit < open ? credit : open;
        uint256 moved = uint256(l.paid) + l.granted + l.netted;
        uint256 back = credit - writtenOff;
        if (back > moved - l.refunded) back = moved - l.refunded;
        if (back == 0) return (writtenOff, 0, 0);
        uint256 shareBefore = (2 * uint256(l.refunded) * l.granted + moved) / (2 * moved);
        uint256 shareAfter = (2 * (l.refunded + back) * l.granted + moved) / (2 * moved);
        toWelfare = shareAfter - shareBefore;
        toPayer = back - toWelfare;
    }

    // --- prepayments ---

    function prepay(uint256 seed, uint256 who, uint256 amount) external {
        ++calls;
        if (prepayments.length >= 60) return;
        uint16 supplier = uint16(1 + seed % SUPPLIERS);
        amount = bound(amount, 1, 3000);
        address from = payers[who % 3];
        _topUp(from, amount);
        bytes32 tag = bytes32(++counter);
        vm.recordLogs();
        vm.prank(from);
        try settlement.prepay(_supplier(supplier), uint48(amount), tag) {
            _break(!_payable(supplier), "a supplier that can't be paid was prepaid");
            _break(_book(from) != amount, "another sum was prepaid");
            hit(Path.Prepaid);
        } catch {
            _break(_payable(supplier), "a good prepayment was refused");
            _discard();
        }
    }

    function net(uint256 seed) external {
        ++calls;
        uint256 bill = _payablePick(seed);
        for (uint256 i = 1; i < 12 && (bills[bill].prepayment == 0 || bills[bill].state >= BillState.Paid); ++i) {
            bill = uint256(keccak256(abi.encode(seed, "net", i))) % bills.length;
        }
        uint256 nettable = bills[bill].state < BillState.Paid ? _nettable(bill) : 0;
        ProvenBill memory proof = _proven(bill);
        vm.recordLogs();
        try settlement.net(proof) {
            _book(address(0));
            _break(nettable == 0, "something was netted that should not have been");
            hit(Path.Netted);
        } catch {
            _break(nettable != 0, "a good netting was refused");
            _discard();
            hit(Path.NetRefused);
        }
    }

    // --- thieves ---

    /// @dev None of these may succeed; the stranger has money, so none fails for want of it.
    function attack(uint256 seed) external {
        ++calls;
        uint256 bill = _payablePick(seed);
        address victim = payers[seed % 3];
        Leg[] memory legs = new Leg[](1);
        legs[0] = Leg.wrap(uint256(uint160(stranger)) * 2 ** 96 + 1);
        ProvenBill memory proof = _proven(bill);
        SplitAuthorization memory forged = order(stranger, proof.run, proof.index, 100, ++counter);
        forged.payer = victim;
        _mustFail(address(settlement), abi.encodeCall(settlement.payOrder, (proof, forged)));
        if (lastOrder.payer != address(0)) {
            ProvenBill memory first = _proven(lastOrderBill);
            _mustFail(address(settlement), abi.encodeCall(settlement.payOrder, (first, lastOrder)));
        }
        _mustFail(address(rouble), abi.encodeCall(rouble.splitFrom, (victim, legs)));
        _mustFail(address(rouble), abi.encodeCall(rouble.transferFrom, (victim, stranger, 1)));
        _mustFail(address(rouble), abi.encodeCall(rouble.mint, (stranger, 1, bytes32(seed))));
        _mustFail(address(charges), abi.encodeCall(charges.setState, (proof.run, proof.index, BillState.Open)));
        BillKey named = key(proof.run, proof.index);
        _mustFail(address(subsidies), abi.encodeCall(subsidies.use, (1, 0, named, 0, 1)));
        _mustFail(address(settlement), abi.encodeCall(settlement.setPayoutTable, (stranger)));
        proof.index += uint32(uint256(1) << proof.proof.length);
        _mustFail(address(settlement), abi.encodeCall(settlement.pay, (proof, 1)));
        hit(Path.Attacked);
    }

    function _mustFail(address target, bytes memory call) private {
        vm.prank(stranger);
        (bool success,) = target.call(call);
        _break(success, "a thief got through");
    }

    // --- shared ---

    /// @dev Books a payment of one bill, and holds it to what the payer agreed to.
    function _took(uint256 bill, address from, uint256 maximum, uint256 total) private {
        _break(_book(from) != total, "receipts are not the payment");
        _break(total > maximum, "more was taken than the payer agreed to");
        bool left = bills[bill].state < BillState.Paid && _payableOpen(bill) != 0;
        _break(total < maximum && left, "less was taken than was open");
    }

    function _payablePick(uint256 seed) private view returns (uint256 bill) {
        bill = _pick(seed, seed % 3 == 0 ? BillState.Partial : BillState.Open);
        if (bills[bill].kind == Blobs.CREDIT_NOTE) bill = 0;
    }

    /// @dev Half the time all that is open and more, otherwise a part.
    function _maximum(uint256 bill, uint256 seed) private view returns (uint256) {
        if (seed % 2 == 0) return 1_000_000;
        return (seed >> 8) % (_payableOpen(bill) + 2);
    }

    function _nettable(uint256 bill) private view returns (uint256 amount) {
        Known memory k = bills[bill];
        if (k.prepayment == 0) return 0;
        Line memory line = lines[bill][k.creditLine];
        Prepayment memory p = prepayments[prepaymentPlace[k.prepayment] - 1];
        if (p.supplier != line.supplier || line.netted != 0) return 0;
        amount = k.credit < p.left ? k.credit : p.left;
        if (amount > _open(line)) amount = _open(line);
    }

    function _payableAfterNetting(uint256 bill) private view returns (uint256 sum) {
        sum = _payableOpen(bill);
        uint256 nettable = _nettable(bill);
        if (nettable != 0 && _payable(lines[bill][bills[bill].creditLine].supplier)) sum -= nettable;
    }

    /// @dev Some of the bills of a run, at least one, ascending.
    function _subset(uint32 run, uint256 bits) private view returns (uint32[] memory indices) {
        uint256 count = blobsOf[run].length;
        uint256 n = 0;
        uint32[] memory all = new uint32[](count);
        for (uint32 i = 0; i < count; ++i) {
            if ((bits >> i) & 1 == 1) all[n++] = i;
        }
        if (n == 0) all[n++] = 0;
        indices = new uint32[](n);
        for (uint256 i = 0; i < n; ++i) {
            indices[i] = all[i];
        }
    }
}
