"""The data items that Swift fills from the scan and the camera, kept in memory while an experiment runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from nion.instrumentation.HardwareSource import HardwareSource

if TYPE_CHECKING:
    from nion.swift.model.DataItem import DataItem
    from nion.swift.model.DocumentModel import DocumentModel, Transaction


class ChannelItems:
    """Transactions on the channel items of hardware sources.

    Outside a transaction each change of an item, a move of Swift's probe graphic among them, rewrites the whole project
    file on the main thread. All methods must be called on the main thread.

    Args:
        document_model: the project.
    """

    def __init__(self, document_model: DocumentModel) -> None:
        self._document_model = document_model
        self._transactions: dict[DataItem, Transaction] = {}

    def hold(self, source: HardwareSource, channel_id: str | None) -> None:
        """Keep the item of a channel in memory from now on; an item exists only after a first frame."""
        assert threading.current_thread() is threading.main_thread()
        reference = self._document_model.get_data_item_channel_reference(source.hardware_source_id, channel_id)
        item = reference.data_item
        if item is not None and item not in self._transactions:
            self._transactions[item] = self._document_model.item_transaction(item)

    def release(self) -> None:
        """Let Swift write them; may be called again."""
        transactions, self._transactions = self._transactions, {}
        for transaction in transactions.values():
            transaction.close()
